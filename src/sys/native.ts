import { createRequire } from 'node:module';
import { type Koffi, libraryOf, type NativeLibrary } from './native-library.ts';

/**
 * Loads the C library, by koffi's native part and nothing else of koffi (its own JavaScript costs 10 ms at start).
 *
 * This is the way from source and for those who import the library; the executables are built with
 * `native-embedded.ts` in this module's place.
 */
export function loadLibrary(): NativeLibrary {
  const require = createRequire(import.meta.url);
  const native: Koffi = require(`@koromix/koffi-${process.platform}-${process.arch}`);
  return libraryOf(native);
}
