import { isErrno, PlumbError, SyscallError } from '../errors.ts';
import { closeQuietly, fstatSync, openOrCreate, readFileSync } from './fs.ts';
import * as libc from './libc.ts';

/** A lock was not to be had in time; nothing was done. */
export class LockTimeoutError extends PlumbError {
  readonly kind = 'lock-timeout';
  /** The lock file. */
  readonly path: string;
  /** How long it was waited for, in milliseconds. */
  readonly timeoutMs: number;
  /** Who holds it, where /proc/locks tells (it does not for a process of another pid namespace). */
  readonly holderPid: number | undefined;

  constructor(path: string, timeoutMs: number, holderPid: number | undefined) {
    const holder = holderPid === undefined ? 'another process' : `process ${holderPid}`;
    super(`lock ${path}: still held by ${holder} after ${timeoutMs} ms`);
    this.path = path;
    this.timeoutMs = timeoutMs;
    this.holderPid = holderPid;
  }
}

const FIRST_PAUSE_MS = 0.3;
const LONGEST_PAUSE_MS = 5;

let sleeper: Int32Array | undefined;

/**
 * Runs `fn` while holding flock(2) LOCK_EX on the file `path`, which is made (0600) if it is missing; its folder
 * must be there. Waits for the lock for `timeoutMs` milliseconds. What `fn` returns or throws is passed on.
 *
 * Throws {@link LockTimeoutError}, {@link SyscallError} of open(2) and flock(2).
 */
export function withFlock<T>(path: string, timeoutMs: number, fn: () => T): T {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const fd = openOrCreate(path, 0o600);
    try {
      acquire(fd, path, timeoutMs, end);
      try {
        // A file that was removed while we waited locks out nobody: the next one makes a new file.
        if (fstatSync(fd).nlink > 0) return fn();
      } finally {
        release(fd, path);
      }
    } finally {
      closeQuietly(fd);
    }
  }
}

// Not left to close(2) alone: a child that is just being forked may still share the open file. But close(2) is good
// enough where this fails, and what was done under the lock is done.
function release(fd: number, path: string): void {
  try {
    libc.flock(fd, libc.LOCK_UN, path);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
  }
}

// flock(2) knows no time limit, and an alarm signal is not to be had here: so the lock is polled. The pauses
// vary at random, lest a crowd of waiters knocks in step.
function acquire(fd: number, path: string, timeoutMs: number, end: number): void {
  let pauseMs = FIRST_PAUSE_MS;
  while (!tryLock(fd, path)) {
    const leftMs = end - performance.now();
    if (leftMs <= 0) throw new LockTimeoutError(path, timeoutMs, holderOf(fd));
    sleeper ??= new Int32Array(new SharedArrayBuffer(4));
    Atomics.wait(sleeper, 0, 0, Math.min(leftMs, pauseMs * (0.5 + Math.random())));
    pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS);
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

// proc_locks(5): `1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF`; waiters have `->` behind the number. The
// device is left out of the comparison: btrfs and overlayfs show another one there than stat(2) does.
function holderOf(fd: number): number | undefined {
  try {
    const { ino } = fstatSync(fd);
    const line = readFileSync('/proc/locks')
      .split('\n')
      .find((text) => /^\d+: FLOCK /.test(text) && text.includes(`:${ino} `));
    const pid = Number(line?.trim().split(/\s+/)[4]);
    return pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}
