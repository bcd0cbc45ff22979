// <linux/memfd.h>
const MFD_CLOEXEC = 1;
const MFD_EXEC = 0x10;

type MemfdCreate = (name: Uint8Array, flags: number) => number;

interface BunFfi {
  dlopen(
    library: string,
    functions: { memfd_create: { args: string[]; returns: string } },
  ): { symbols: { memfd_create: MemfdCreate } };
}

/**
 * Makes a file in memory that belongs to no folder, whose content may be executed, and returns its descriptor. It
 * calls memfd_create(2) by the runtime's own foreign function interface, for which no koffi is needed, but which is
 * experimental and slow to start: for where there is no other way.
 *
 * Throws an `Error` when the kernel refuses (sysctl vm.memfd_noexec=2).
 */
export function createMemfd(name: string): number {
  const create = process.versions['bun'] === undefined ? nodeMemfdCreate() : bunMemfdCreate();
  const label = new TextEncoder().encode(`${name}\0`);
  // Kernels before 6.3 do not know MFD_EXEC, and need none.
  for (const flags of [MFD_CLOEXEC | MFD_EXEC, MFD_CLOEXEC]) {
    const fd = create(label, flags);
    if (fd >= 0) return fd;
  }
  throw new Error('memfd_create is refused');
}

function nodeMemfdCreate(): MemfdCreate {
  const { functions } = process.getBuiltinModule('node:ffi').dlopen(null, {
    memfd_create: { arguments: ['buffer', 'uint32'], return: 'int32' },
  });
  return functions.memfd_create;
}

function bunMemfdCreate(): MemfdCreate {
  const ffi = process.getBuiltinModule('bun:ffi') as BunFfi;
  return ffi.dlopen('libc.so.6', { memfd_create: { args: ['ptr', 'u32'], returns: 'i32' } }).symbols
    .memfd_create;
}
