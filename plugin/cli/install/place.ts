import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errorMessage, isErrno, SyscallError } from '../../../src/errors.ts';
import { closeQuietly, openReadOnly } from '../../../src/sys/fs.ts';
import { flock, LOCK_EX } from '../../../src/sys/libc.ts';

/** Where a file is made before it gets its name: in the same folder, and no configuration to any runtime. */
function aside(path: string): string {
  return join(dirname(path), `.${basename(path)}.new`);
}

function sync(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Puts a file in place, whole or not at all: it is written aside, synced and renamed. `tryOut` gets the path of the
 * finished copy before it is renamed, and may throw. The caller holds {@link withFolderLock}, so that
 * what a killed call has left may be overwritten. Throws an `Error` that names the file.
 */
export function placeFile(
  path: string,
  data: string | Uint8Array,
  mode: number,
  tryOut: (copy: string) => void = () => undefined,
): void {
  const copy = aside(path);
  try {
    rmSync(copy, { force: true });
    const fd = openSync(copy, 'wx', mode);
    try {
      // In one go: an executable is then kept in huge pages, and starts sooner (docs/executables.md).
      writeFileSync(fd, data);
      // Whatever the umask.
      fchmodSync(fd, mode);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    tryOut(copy);
    renameSync(copy, path);
  } catch (error) {
    rmSync(copy, { force: true });
    throw new Error(`cannot put ${path} in place: ${errorMessage(error)}`, { cause: error });
  }
  sync(dirname(path));
}

/** Puts a symbolic link in place, as {@link placeFile} does a file. */
export function placeLink(path: string, target: string): void {
  const copy = aside(path);
  rmSync(copy, { force: true });
  symlinkSync(target, copy);
  renameSync(copy, path);
  sync(dirname(path));
}

/** Removes a file; false if there was none. */
export function removeFile(path: string): boolean {
  try {
    rmSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
  sync(dirname(path));
  return true;
}

/** Gives a file another name in its folder. */
export function renameIn(folder: string, from: string, to: string): void {
  renameSync(join(folder, from), join(folder, to));
  sync(folder);
}

/** The target of a symbolic link; undefined if there is none, or something else. */
export function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EINVAL')) return undefined;
    throw error;
  }
}

/**
 * Runs `fn` while nobody else installs into a folder, which must be there. Waits for as long as it takes.
 *
 * Throws {@link SyscallError} of open(2) and flock(2).
 */
export function withFolderLock<T>(folder: string, fn: () => T): T {
  const fd = openReadOnly(folder);
  try {
    const result = flock(fd, LOCK_EX);
    if (result < 0) throw new SyscallError('flock', folder, -result);
    return fn();
  } finally {
    closeQuietly(fd);
  }
}
