// <linux/memfd.h>
const MFD_CLOEXEC = 1;

/**
 * Makes a file in memory that belongs to no folder, and returns its descriptor. Its content can be mapped for
 * execution even where vm.memfd_noexec forbids to start it as a program. It calls memfd_create(2) by Node's own
 * foreign function interface, for which no koffi is needed, but which is experimental and slow to start: for where
 * there is no other way.
 *
 * Throws an `Error` when the kernel refuses.
 */
export function createMemfd(name: string): number {
  const { functions } = process.getBuiltinModule('node:ffi').dlopen(null, {
    memfd_create: { arguments: ['buffer', 'uint32'], return: 'int32' },
  });
  const fd = functions.memfd_create(new TextEncoder().encode(`${name}\0`), MFD_CLOEXEC);
  if (fd < 0) throw new Error('memfd_create is refused');
  return fd;
}
