import { createRequire } from 'node:module';
import type koffi from 'koffi';

/** The part of koffi that this project uses. */
export type Koffi = Pick<typeof koffi, 'load' | 'errno'>;

/**
 * Loads koffi's native part and nothing else of it (its own JavaScript costs 10 ms at start).
 *
 * This is the way from source and for those who import the library; the executables are built with
 * `native-embedded.ts` in this module's place.
 */
export function loadKoffi(): Koffi {
  const require = createRequire(import.meta.url);
  const native: Koffi = require(`@koromix/koffi-${process.platform}-${process.arch}`);
  return native;
}
