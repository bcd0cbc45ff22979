import { accessSync, closeSync, constants, lstatSync, statSync, unlinkSync } from 'node:fs';
import { isErrno, SyscallError, withFile } from '../errors.ts';

// <asm-generic/errno-base.h>
const ENOTDIR = 20;

/**
 * Closes a descriptor that was only read from, or whose writes are known to have succeeded. It is gone whatever
 * close(2) says, and an error would put into doubt what has been done.
 */
export function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch (error) {
    if (isErrno(error, 'EBADF')) throw error;
  }
}

/** Removes a file; that it is not there, or its folder is not, is success. Throws Node's own errors. */
export function removeFile(path: string): void {
  // Most are not there, and an exception costs more than a call.
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
  }
}

/**
 * Checks, without writing, that files can be made in a folder: it is there and writable, or can be made.
 * `directory` is an absolute path.
 *
 * Throws {@link SyscallError} naming the folder that is in the way.
 */
export function assertWritableFolder(directory: string): void {
  withFile(directory, () => {
    let nearest = directory;
    while (lstatSync(nearest, { throwIfNoEntry: false }) === undefined && parentOf(nearest) !== nearest) {
      nearest = parentOf(nearest);
    }
    if (!statSync(nearest).isDirectory()) throw new SyscallError('opendir', nearest, ENOTDIR);
    accessSync(nearest, constants.W_OK | constants.X_OK);
  });
}

// node:path is not worth loading for this.
function parentOf(directory: string): string {
  return directory.slice(0, Math.max(1, directory.lastIndexOf('/')));
}
