import * as libc from './libc.ts';

// <bits/signum.h>, <sys/time.h>
const SIGALRM = 14;
const ITIMER_REAL = 0;
const ITIMERVAL_BYTES = 32;
/** Again and again, since an alarm that comes before the call begins to wait would be missed. */
const EVERY_MS = 20;

let handled = false;

/**
 * Runs `fn`, in which a system call that waits ends with EINTR when `ms` milliseconds are over, and every 20 ms from then
 * on. For calls that know no time limit of their own, such as flock(2).
 *
 * Throws {@link SyscallError} of setitimer(2), and what `fn` throws.
 * @see setitimer(2), signal(7)
 */
export function withAlarm<T>(ms: number, fn: () => T): T {
  if (!handled) {
    // The handler has nothing to do, and must be a C function that may be called at any moment: abs(3).
    libc.signal(SIGALRM, libc.addressOf('abs'));
    libc.siginterrupt(SIGALRM, 1);
    handled = true;
  }
  libc.setitimer(ITIMER_REAL, itimerval(EVERY_MS, Math.max(ms, 1)));
  try {
    return fn();
  } finally {
    libc.setitimer(ITIMER_REAL, itimerval(0, 0));
  }
}

function itimerval(intervalMs: number, valueMs: number): Uint8Array {
  const bytes = new Uint8Array(ITIMERVAL_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [i, ms] of [intervalMs, valueMs].entries()) {
    view.setBigInt64(16 * i, BigInt(Math.floor(ms / 1000)), true);
    view.setBigInt64(16 * i + 8, BigInt(Math.floor((ms % 1000) * 1000)), true);
  }
  return bytes;
}
