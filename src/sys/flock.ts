import { closeSync, openSync } from 'node:fs';
import { isErrno, PlumbError } from '../errors.ts';
import * as libc from './libc.ts';

/** A lock was not to be had in time; nothing was done. */
export class LockTimeoutError extends PlumbError {
  readonly kind = 'lock-timeout';

  constructor(path: string, timeoutMs: number) {
    super(
      `lock ${path}: held by another process for more than ${timeoutMs} ms; find it with "fuser -v ${path}"`,
    );
  }
}

const clock = new Int32Array(new SharedArrayBuffer(4));
const FIRST_PAUSE_MS = 0.5;
const LONGEST_PAUSE_MS = 8;

/**
 * Runs `fn` while holding flock(2) LOCK_EX on `path`, which is made if it is missing. Throws {@link LockTimeoutError}
 * after `timeoutMs`: flock(2) itself knows no limit, so the lock is tried again and again.
 */
export function withFlock<T>(path: string, timeoutMs: number, fn: () => T): T {
  const fd = openSync(path, 'a', 0o600);
  try {
    const end = performance.now() + timeoutMs;
    for (let pause = FIRST_PAUSE_MS; !tryLock(fd, path); pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
      if (performance.now() >= end) throw new LockTimeoutError(path, timeoutMs);
      Atomics.wait(clock, 0, 0, pause * (0.5 + Math.random()));
    }
    return fn();
  } finally {
    // Closing the last descriptor of the open file releases the lock.
    closeSync(fd);
  }
}

function tryLock(fd: number, path: string): boolean {
  try {
    libc.flock(fd, libc.LOCK_EX | libc.LOCK_NB, path);
    return true;
  } catch (error) {
    if (isErrno(error, 'EAGAIN', 'EINTR')) return false;
    throw error;
  }
}
