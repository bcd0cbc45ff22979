import { errorMessage, SyscallError, UnsupportedError } from '../errors.ts';
import { closeQuietly, openReadOnly, writeSync } from './fs.ts';
import * as libc from './libc.ts';

// The thread's own: /proc/self names the main thread's namespace, which may be another one.
const OWN_NETNS = '/proc/thread-self/ns/net';
const NS_GET_NSTYPE = 0xb703;

/** Whether `fd` is a network namespace (ioctl NS_GET_NSTYPE, ioctl_ns(2)). */
export function isNetns(fd: number): boolean {
  try {
    return libc.ioctl(fd, NS_GET_NSTYPE, `fd ${fd}`) === libc.CLONE_NEWNET;
  } catch (error) {
    if (error instanceof SyscallError) return false;
    throw error;
  }
}

/**
 * Runs `fn` inside the network namespace behind `netnsFd` and comes back, whatever `fn` throws: its error reaches
 * the caller unchanged. Only this thread moves, so `fn` must be synchronous, and must start neither threads nor
 * children. If coming back fails the process ends (SIGABRT's exit status 134), because going on would configure
 * the wrong machine.
 *
 * Throws {@link SyscallError} when the namespace cannot be entered, `TypeError` when `fn` returns a promise.
 * @see setns(2)
 */
export function withNetnsFd<T>(netnsFd: number, fn: () => T): T {
  if (process.platform !== 'linux') throw new UnsupportedError('withNetnsFd');
  const home = openReadOnly(OWN_NETNS);
  try {
    libc.setns(netnsFd, libc.CLONE_NEWNET, `namespace fd ${netnsFd}`);
    let result: T;
    try {
      result = fn();
    } finally {
      goHome(home);
    }
    if (isThenable(result)) {
      throw new TypeError('withNetnsFd takes a synchronous function; use withNetnsFdAsync for this one');
    }
    return result;
  } finally {
    closeQuietly(home);
  }
}

function goHome(home: number): void {
  try {
    libc.setns(home, libc.CLONE_NEWNET, OWN_NETNS);
  } catch (error) {
    try {
      writeSync(
        2,
        `plumb: cannot return to the host's network namespace: ${errorMessage(error)}\n`,
        'standard error',
      );
    } finally {
      process.exit(134);
    }
  }
}

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** Like {@link withNetnsFd}, in the namespace of process `pid`; /proc/PID/ns/net is opened once. */
export function withNetns<T>(pid: number, fn: () => T): T {
  return withProcessNetns(pid, (fd) => withNetnsFd(fd, fn));
}

/** Opens /proc/PID/ns/net, hands it to `fn`, and closes it. Throws {@link SyscallError} with path and errno. */
export function withProcessNetns<T>(pid: number, fn: (netnsFd: number) => T): T {
  if (process.platform !== 'linux') throw new UnsupportedError('network namespaces');
  const fd = openReadOnly(`/proc/${pid}/ns/net`);
  try {
    return fn(fd);
  } finally {
    closeQuietly(fd);
  }
}
