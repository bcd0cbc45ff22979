import type { Cli } from './cli/main.ts';
import type { Whole } from './whole.ts';

// This is the way from source; the executables are built with `load-embedded.ts` in this module's place.

/** Loads the command line, of which a call by a runtime needs nothing. */
export async function loadCli(): Promise<Cli> {
  return import('./cli/main.ts');
}

/** Loads the whole program, for a call that the small bundle cannot answer. */
export async function loadWhole(): Promise<Whole> {
  return import('./whole.ts');
}
