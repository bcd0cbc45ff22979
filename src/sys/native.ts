import { createRequire } from 'node:module';
import { type Koffi, libraryOf, type NativeLibrary } from './native-library.ts';

/**
 * Loads the C library, by koffi's native part and nothing else of koffi (its own JavaScript costs 10 ms at start).
 * Throws an `Error` when that part is not installed.
 *
 * This is the way from source and for those who import the library; the executables are built with
 * `native-embedded.ts` in this module's place.
 */
export function loadLibrary(): NativeLibrary {
  const name = `@koromix/koffi-${process.platform}-${process.arch}`;
  let native: Koffi;
  try {
    // It is a dependency of koffi's, and where package managers lay out strictly only koffi finds it.
    const koffi = createRequire(import.meta.url).resolve('koffi');
    native = createRequire(koffi)(name);
  } catch (cause) {
    throw new Error(
      `cannot load ${name}, the native part of koffi: it is an optional dependency, which --omit=optional leaves out`,
      { cause },
    );
  }
  return libraryOf(native);
}
