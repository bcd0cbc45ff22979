import type { NativeFunction, NativeLibrary } from './native-library.ts';

interface Declaration {
  readonly args: readonly string[];
  readonly returns: string;
}

interface BunFfi {
  dlopen(
    library: string,
    functions: Readonly<Record<string, Declaration>>,
  ): { readonly symbols: Readonly<Record<string, NativeFunction>> };
  readonly read: { i32(pointer: unknown, offset: number): number };
}

const TYPES: Readonly<Record<string, string>> = {
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
export function loadLibraryOfBun(): NativeLibrary {
  const ffi = process.getBuiltinModule('bun:ffi') as BunFfi;
  const bind = (name: string, declaration: Declaration): NativeFunction => {
    const bound = ffi.dlopen('libc.so.6', { [name]: declaration }).symbols[name];
    if (bound === undefined) throw new Error(`the C library has no ${name}`);
    return bound;
  };
  let location: unknown;
  return {
    func(prototype) {
      location ??= bind('__errno_location', { args: [], returns: 'ptr' })();
      const { name, declaration } = parsePrototype(prototype);
      return bind(name, declaration);
    },
    errno: () => ffi.read.i32(location, 0),
  };
}

/** Parses `int bind(int fd, const uint8_t *addr, uint32_t len)`. Throws an `Error` for a type that is not in use here. */
export function parsePrototype(prototype: string): { name: string; declaration: Declaration } {
  const match = /^(\w+) (\w+)\((.*)\)$/.exec(prototype);
  const [, result = '', name = '', parameters = ''] = match ?? [];
  const type = (text: string): string => {
    const known = TYPES[text];
    if (known === undefined) throw new Error(`${prototype}: unknown type ${text}`);
    return known;
  };
  const args = parameters
    .split(', ')
    .map((parameter) => type(parameter.replace(/^const /, '').replace(/ ?\w+$/, '')));
  return { name, declaration: { args, returns: type(result) } };
}
