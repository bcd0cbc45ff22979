// Runs a script that is made for Node's executable, as the executable would, and writes down what V8 has compiled of it when it
// ends: `node run-and-cache.ts SCRIPT KOFFI FILE`. What FILE has from a run before is used and stays in it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';
import type { Koffi } from '../../src/sys/native-library.ts';

const [script = '', koffi = '', file = ''] = process.argv.slice(2);

// How far V8 is with making machine code of a function stands in the cache, and differs from run to run. The flags must be as they
// are in the executable when the cache is read and written.
const UNSTEADY = ['sparkplug', 'profile-guided-optimization'];

const builtin = process.getBuiltinModule;
process.getBuiltinModule = ((id: string) =>
  id === 'node:sea' ? { getRawAsset: () => readFileSync(koffi) } : builtin(id)) as typeof builtin;

// The script ends by _exit(2), behind which nothing can be done.
const { dlopen } = process;
process.dlopen = (module: object, path: string) => {
  dlopen.call(process, module, path);
  const { exports } = module as { exports: Koffi };
  const load = (name: string | null): object => {
    const library = exports.load(name);
    const func = (prototype: string): unknown => {
      const native = library.func(prototype);
      if (!prototype.includes(' _exit(')) return native;
      return (status: number) => {
        for (const flag of UNSTEADY) setFlagsFromString(`--${flag}`);
        writeFileSync(file, compiled.createCachedData());
        native(status);
      };
    };
    return { func };
  };
  Object.assign(module, { exports: { load, errno: () => exports.errno() } });
};

const compiled = new Script(readFileSync(script, 'utf8'), {
  filename: 'plumb.cjs',
  ...(existsSync(file) ? { cachedData: readFileSync(file) } : {}),
});
if (compiled.cachedDataRejected === true) throw new Error(`V8 rejects ${file}`);
for (const flag of UNSTEADY) setFlagsFromString(`--no-${flag}`);
compiled.runInThisContext();
