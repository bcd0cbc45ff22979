import { errorMessage } from '../errors.ts';
import { createMemfd } from './memfd.ts';
import { type BunFfi, loadLibraryOfBun } from './native-bun.ts';
import { type Koffi, libraryOf, type NativeLibrary } from './native-library.ts';

// O_TMPFILE of <asm-generic/fcntl.h>; Node's constants lack it.
const O_TMPFILE = 0o20200000;
// In memory first; a folder on disk costs a millisecond more.
const FOLDERS = ['/dev/shm', '/run', '/tmp', '/var/tmp'];
const ASSET = 'koffi.node';

/** Bun's global object, where there is one. */
declare const Bun: { readonly FFI: BunFfi } | undefined;

/** Loads the C library in an executable: by Bun's own means in Bun's, by the embedded koffi in Node's. */
export function loadLibrary(): NativeLibrary {
  return typeof Bun === 'undefined' ? libraryOf(loadKoffi()) : loadLibraryOfBun(Bun.FFI);
}

/**
 * Loads the koffi that travels inside the executable. It is written to a file without a name (O_TMPFILE) and loaded
 * through /proc/self/fd: there is no moment at which another process could put a file of its own in its place, and
 * nothing is left behind. Folders that allow no such file, or no execution, are passed over; where there is none, a
 * memfd does. A file that is on disk already is never loaded, whatever it is called.
 *
 * Throws an `Error` that names what was tried and what helps.
 */
function loadKoffi(): Koffi {
  const { constants, openSync } = process.getBuiltinModule('node:fs');
  const data = new Uint8Array(process.getBuiltinModule('node:sea').getRawAsset(ASSET));
  const failures: string[] = [];
  const own = process.execPath.slice(0, process.execPath.lastIndexOf('/') + 1);
  const places = [...FOLDERS, own].map((folder): [string, () => number] => [
    folder,
    () => openSync(folder, O_TMPFILE | constants.O_RDWR, 0o500),
  ]);
  for (const [place, create] of [...places, ['memory', () => createMemfd(ASSET)] as const]) {
    try {
      return loadFrom(create(), data);
    } catch (error) {
      failures.push(`${place}: ${errorMessage(error)}`);
    }
  }
  throw new Error(
    `no place to load ${ASSET} from; a folder that is writable and not mounted noexec would do (${failures.join('; ')})`,
  );
}

function loadFrom(fd: number, data: Uint8Array): Koffi {
  const { closeSync, writeSync } = process.getBuiltinModule('node:fs');
  try {
    for (let offset = 0; offset < data.length; ) offset += writeSync(fd, data, offset);
    const module: { exports: unknown } = { exports: {} };
    process.dlopen(module, `/proc/self/fd/${fd}`);
    return module.exports as Koffi;
  } finally {
    closeSync(fd);
  }
}
