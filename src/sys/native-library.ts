import type koffi from 'koffi';

/** A C function; numbers, and byte arrays for pointers. 64-bit results may come as number or bigint. */
export type NativeFunction = (...args: (number | Uint8Array)[]) => unknown;

/** The C types in use here. */
export type CType = 'int' | 'uint32_t' | 'size_t' | 'int64_t' | 'unsigned long' | 'uint8_t *';

/** A C function's type: what it returns, and its parameters. */
export interface Signature {
  readonly returns: CType | 'void';
  readonly takes: readonly CType[];
}

/** The C library, by a foreign function interface. */
export interface NativeLibrary {
  /** A function by its name and type. Throws an `Error` when the library has none of that name. */
  func(name: string, signature: Signature): NativeFunction;
  /** errno as the last call left it. */
  errno(): number;
}

/** The part of koffi that this project uses. */
export type Koffi = Pick<typeof koffi, 'load' | 'errno'>;

/** The C library by koffi's native part. */
export function libraryOf(native: Koffi): NativeLibrary {
  const library = native.load(null);
  return {
    func: (name, { returns, takes }) => library.func(`${returns} ${name}(${takes.join(', ')})`),
    errno: () => native.errno(),
  };
}
