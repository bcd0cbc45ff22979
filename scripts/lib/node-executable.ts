import childProcess from 'node:child_process';
import { createRequire } from 'node:module';
import { basename, dirname, relative } from 'node:path';
import { promisify } from 'node:util';

interface PkgSea {
  readonly default: (entry: string, options: object) => Promise<void>;
}

/**
 * Makes a Node executable of one CommonJS bundle by pkg's simple SEA mode, without a download. The same bundle, assets
 * and runtime make the same bytes, wherever they lie.
 *
 * `node` is the runtime to take, `assets` are files by the name under which the program finds them. pkg's temporary
 * files go to the bundle's folder. Throws what pkg throws.
 */
export async function nodeExecutable(
  bundle: string,
  output: string,
  node: string,
  assets: Readonly<Record<string, string>>,
): Promise<void> {
  const sea = loadSea();
  const work = dirname(bundle);
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = work;
  try {
    await sea.default(bundle, {
      nodePath: node,
      targets: [{ nodeRange: 'node26', platform: 'linux', arch: 'x64', output }],
      seaConfig: {
        // The path becomes part of the executable. pkg makes the blob in a folder of its own in TMPDIR.
        main: relative(`${work}/pkg`, `${work}/${basename(bundle)}`),
        disableExperimentalSEAWarning: true,
        useSnapshot: false,
        useCodeCache: true,
        execArgvExtension: 'none',
        assets,
      },
    });
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
}

/**
 * pkg's SEA mode, which its package does not export: its command line would download a runtime. Node, when pkg starts
 * it to make the blob, gets a fixed seed: the hashes of V8's strings decide on the order of things in the code cache,
 * and are random otherwise. (V8 lets code caches made with this flag be used without it.) pkg has no option for
 * that, and takes its execFile when it is loaded.
 */
function loadSea(): PkgSea {
  const { execFile } = childProcess;
  const seeded = promisify(execFile);
  childProcess.execFile = Object.assign(execFile.bind(undefined), {
    __promisify__: execFile.__promisify__,
    [promisify.custom]: (file: string, args: readonly string[]) => seeded(file, ['--random-seed=1', ...args]),
  });
  try {
    return createRequire(import.meta.url)('@yao-pkg/pkg/lib-es5/sea.js');
  } finally {
    childProcess.execFile = execFile;
  }
}
