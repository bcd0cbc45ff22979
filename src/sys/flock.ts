import { PlumbError, SyscallError } from '../errors.ts';
import { withAlarm } from './alarm.ts';
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
        release(fd);
      }
    } finally {
      closeQuietly(fd);
    }
  }
}

// Not left to close(2) alone: a child that is just being forked may still share the open file. But close(2) is good
// enough where this fails, and what was done under the lock is done.
function release(fd: number): void {
  libc.flock(fd, libc.LOCK_UN);
}

function acquire(fd: number, path: string, timeoutMs: number, end: number): void {
  if (lock(fd, libc.LOCK_EX | libc.LOCK_NB, path)) return;
  // The kernel wakes those who wait in their order, which no polling does.
  const locked = withAlarm(end - performance.now(), () => {
    do {
      if (lock(fd, libc.LOCK_EX, path)) return true;
    } while (performance.now() < end);
    return false;
  });
  if (!locked) throw new LockTimeoutError(path, timeoutMs, holderOf(fd));
}

/** Whether flock(2) gave the lock; not if it was somebody else's, or an alarm came while it waited. */
function lock(fd: number, operation: number, path: string): boolean {
  const result = libc.flock(fd, operation);
  if (result === 0) return true;
  if (result !== -libc.EAGAIN && result !== -libc.EINTR) throw new SyscallError('flock', path, -result);
  return false;
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
