import { SyscallError, UnsupportedError } from '../errors.ts';
import { sysctlFile } from '../sysctl-key.ts';
import { overwriteSync, readFileSync } from './fs.ts';

/** The /proc/sys path of a sysctl key, see `sysctlFile`. Throws {@link SyscallError} EINVAL for a key that names none. */
export function sysctlPath(key: string): string {
  const file = sysctlFile(key);
  if (file === undefined) throw new SyscallError('sysctl', key, 22);
  return `/proc/sys/${file}`;
}

/** Reads a sysctl, without the newline at its end. Throws {@link SyscallError} with the path. */
export function getSysctl(key: string): string {
  if (process.platform !== 'linux') throw new UnsupportedError('getSysctl');
  const path = sysctlPath(key);
  return readFileSync(path).trimEnd();
}

/**
 * Sets a sysctl, but reads first and writes only what differs; returns the value that stood there before. Keys are
 * those of {@link sysctlPath}. Applies to the network namespace that the calling thread is in.
 * Throws {@link SyscallError} with the path.
 */
export function setSysctl(key: string, value: string): string {
  const before = getSysctl(key);
  const path = sysctlPath(key);
  if (before !== value) overwriteSync(path, value);
  return before;
}
