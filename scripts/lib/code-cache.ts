import { spawnSync } from 'node:child_process';
import { inNamespaces } from './typical-calls.ts';

// As plugin/start-on-node.ts does.
const ACCEPTS = `
  const { readFileSync } = require('node:fs');
  const [script, cache] = process.argv.slice(1);
  const options = { filename: 'plumb.cjs', cachedData: readFileSync(cache) };
  const { cachedDataRejected } = new (require('node:vm').Script)(readFileSync(script, 'utf8'), options);
  process.exit(cachedDataRejected ? 1 : 0);`;

/**
 * Makes a file of what V8 has compiled of a script when the calls that matter have been made, for `cachedData` of `vm.Script`.
 * The cache that Node makes of a single executable application is made before it runs, and lacks nearly all functions. The
 * same script and runtime make the same bytes. Throws an `Error` when the runtime would not take it.
 *
 * @param script path of the script
 * @param koffi path of koffi's native part
 * @param file path of the file that is made
 * @param node path of the runtime that is to take it
 */
export function codeCache(script: string, koffi: string, file: string, node: string): void {
  inNamespaces('record-cache.ts', script, koffi, file);
  const { status } = spawnSync(node, ['-e', ACCEPTS, script, file], { stdio: 'inherit' });
  if (status !== 0)
    throw new Error(`${node} rejects the code cache that Node ${process.version} has made: build with it`);
}
