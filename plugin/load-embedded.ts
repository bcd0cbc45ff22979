import type { Cli } from './cli/main.ts';
import type { Whole } from './whole.ts';

declare const Bun: unknown;

/** Loads the command line out of the executable, where it is a bundle of its own. */
export async function loadCli(): Promise<Cli> {
  // Bun puts the path of the embedded file in the place of the call.
  return load(typeof Bun === 'undefined' ? 'cli' : require('./cli.asset')) as Cli;
}

/** Loads the whole program out of the executable. */
export async function loadWhole(): Promise<Whole> {
  return load(typeof Bun === 'undefined' ? 'whole' : require('./whole.asset')) as Whole;
}

/** Runs an embedded bundle, which is an asset in Node's executable and a file in Bun's. */
function load(name: string): unknown {
  const { compileFunction } = process.getBuiltinModule('node:vm');
  const { createRequire } = process.getBuiltinModule('node:module');
  const text =
    typeof Bun === 'undefined'
      ? process.getBuiltinModule('node:sea').getAsset(name, 'utf8')
      : process.getBuiltinModule('node:fs').readFileSync(name, 'utf8');
  const module: { exports: unknown } = { exports: {} };
  compileFunction(text, ['require', 'module', 'exports'])(createRequire('/'), module, module.exports);
  return module.exports;
}
