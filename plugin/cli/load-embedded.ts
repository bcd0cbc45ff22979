import type { Cli } from './main.ts';

/** Loads the command line out of the executable, where it is a bundle of its own beside the plugin's. */
export async function loadCli(): Promise<Cli> {
  const { compileFunction } = process.getBuiltinModule('node:vm');
  const { createRequire } = process.getBuiltinModule('node:module');
  const module: { exports: unknown } = { exports: {} };
  const run = compileFunction(readBundle(), ['require', 'module', 'exports'], { filename: 'cli.cjs' });
  run(createRequire('/'), module, module.exports);
  return module.exports as Cli;
}

function readBundle(): string {
  if (process.versions['bun'] === undefined)
    return process.getBuiltinModule('node:sea').getAsset('cli', 'utf8');
  // Bun puts the path of the embedded file here.
  const path: string = require('./cli.asset');
  return process.getBuiltinModule('node:fs').readFileSync(path, 'utf8');
}
