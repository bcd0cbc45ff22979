import { inNamespaces } from './typical-calls.ts';

/**
 * Makes a file of what V8 has compiled of a script when the calls that matter have been made, for `cachedData` of `vm.Script`.
 * The cache that Node makes of a single executable application is made before it runs, and lacks nearly all functions. The
 * same script and runtime make the same bytes. Returns false where the namespaces that the calls need cannot be made.
 *
 * @param script path of the script
 * @param koffi path of koffi's native part
 * @param file path of the file that is made
 */
export function codeCache(script: string, koffi: string, file: string): boolean {
  return inNamespaces('record-cache.ts', script, koffi, file) !== undefined;
}
