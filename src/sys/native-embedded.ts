import { closeSync, constants, fstatSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorMessage } from '../errors.ts';
import { createMemfd } from './memfd.ts';
import type { Koffi } from './native.ts';

// O_TMPFILE of <asm-generic/fcntl.h>; Node's constants lack it.
const O_TMPFILE = 0o20200000;
// In memory first; a folder on disk costs a millisecond more.
const FOLDERS = ['/dev/shm', '/run', '/tmp', '/var/tmp'];
const ASSET = 'koffi.node';

/**
 * Loads the koffi that travels inside the executable. It is written to a file without a name (O_TMPFILE) and loaded
 * through /proc/self/fd: there is no moment at which another process could put a file of its own in its place, and
 * nothing is left behind. Folders that allow no such file, or no execution, are passed over. Where there is none a
 * memfd does, and where the kernel refuses that too the same file, laid beside the executable.
 *
 * Throws an `Error` that names what was tried and what helps.
 */
export function loadKoffi(): Koffi {
  const data = embedded();
  const own = dirname(process.execPath);
  const beside = `${own}/${ASSET}`;
  const failures: string[] = [];
  const attempt = (name: string, openFile: () => number): Koffi | undefined => {
    try {
      return loadFrom(openFile());
    } catch (error) {
      failures.push(`${name}: ${errorMessage(error)}`);
      return undefined;
    }
  };
  for (const folder of [...FOLDERS, own]) {
    const koffi = attempt(folder, () => filled(openSync(folder, O_TMPFILE | constants.O_RDWR, 0o500), data));
    if (koffi !== undefined) return koffi;
  }
  const koffi =
    attempt('memory', () => filled(createMemfd(ASSET), data)) ??
    attempt(beside, () => openSame(beside, data));
  if (koffi !== undefined) return koffi;
  throw new Error(
    `no place to load ${ASSET} from: a folder that is writable and not mounted noexec, or the file ${beside} ` +
      `of this version, owned by root, would do (${failures.join('; ')})`,
  );
}

function embedded(): Uint8Array {
  if (process.versions['bun'] !== undefined) return readFileSync(`/$bunfs/root/${ASSET}`);
  return new Uint8Array(process.getBuiltinModule('node:sea').getRawAsset(ASSET));
}

function filled(fd: number, data: Uint8Array): number {
  try {
    for (let offset = 0; offset < data.length; ) offset += writeSync(fd, data, offset);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openSame(path: string, data: Uint8Array): number {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { uid, mode } = fstatSync(fd);
    if (uid !== 0 || (mode & 0o022) !== 0) throw new Error('it is not root-owned, or others may write to it');
    if (!readFileSync(fd).equals(data)) throw new Error('it is not the file of this version');
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function loadFrom(fd: number): Koffi {
  try {
    const module: { exports: unknown } = { exports: {} };
    process.dlopen(module, `/proc/self/fd/${fd}`);
    return module.exports as Koffi;
  } finally {
    closeSync(fd);
  }
}
