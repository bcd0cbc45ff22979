import type { CType, NativeFunction, NativeLibrary, Signature } from './native-library.ts';

interface Declaration {
  readonly args: readonly string[];
  readonly returns: string;
}

/** What the module bun:ffi is made of. To load that module itself takes a third of a millisecond. */
export interface BunFfi {
  dlopen(
    library: string,
    functions: Readonly<Record<string, Declaration>>,
  ): { readonly symbols: Readonly<Record<string, NativeFunction>> } | Error;
  readonly read: { i32(pointer: unknown, offset: number): number };
}

const TYPES: Readonly<Record<CType | 'void', string>> = {
  void: 'void',
  int: 'i32',
  uint32_t: 'u32',
  int64_t: 'i64_fast',
  size_t: 'u64_fast',
  'unsigned long': 'u64_fast',
  'uint8_t *': 'ptr',
};

/**
 * The C library by Bun's own foreign function interface. In the Bun executable it takes koffi's place: it is part of
 * the runtime, so that no native file has to be copied, linked and initialised, which was 2 of the 13 ms of an ADD.
 */
export function loadLibraryOfBun(ffi: BunFfi): NativeLibrary {
  const bind = (name: string, { returns, takes }: Signature): NativeFunction => {
    const declaration = { args: takes.map((type) => TYPES[type]), returns: TYPES[returns] };
    // Where the two are one, it leads to the other.
    const library = name === 'dlsym' ? 'libdl.so.2' : 'libc.so.6';
    const opened = ffi.dlopen(library, { [name]: declaration });
    if (opened instanceof Error) throw opened;
    const bound = opened.symbols[name];
    if (bound === undefined) throw new Error(`the C library has no ${name}`);
    return bound;
  };
  let location: unknown;
  return {
    func(name, signature) {
      location ??= bind('__errno_location', { returns: 'uint8_t *', takes: [] })();
      return bind(name, signature);
    },
    errno: () => ffi.read.i32(location, 0),
  };
}
