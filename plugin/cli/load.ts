import type { Cli } from './main.ts';

/**
 * Loads the command line, of which a call by a runtime needs nothing. This is the way from source; the executables are
 * built with `load-embedded.ts` in this module's place.
 */
export async function loadCli(): Promise<Cli> {
  return import('./main.ts');
}
