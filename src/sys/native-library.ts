import type koffi from 'koffi';

/** A C function; numbers, and byte arrays for pointers. 64-bit results may come as number or bigint. */
export type NativeFunction = (...args: (number | Uint8Array)[]) => unknown;

/** The C library, by a foreign function interface. */
export interface NativeLibrary {
  /** A function by its C prototype, made of `int`, `uint32_t`, `size_t`, `int64_t`, `unsigned long`, `uint8_t *`, `void`. */
  func(prototype: string): NativeFunction;
  /** errno as the last call left it. */
  errno(): number;
}

/** The part of koffi that this project uses. */
export type Koffi = Pick<typeof koffi, 'load' | 'errno'>;

/** The C library by koffi's native part. */
export function libraryOf(native: Koffi): NativeLibrary {
  const library = native.load(null);
  return { func: (prototype) => library.func(prototype), errno: () => native.errno() };
}
