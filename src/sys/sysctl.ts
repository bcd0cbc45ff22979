import { SyscallError, UnsupportedError } from '../errors.ts';
import { overwriteSync, readFileSync } from './fs.ts';

/**
 * The /proc/sys path of a sysctl key. As sysctl(8) does it: if the first separator in the key is a dot, dots and
 * slashes change places (`net.ipv4.conf.eth0/100.forwarding`), if it is a slash the key is a path already
 * (`net/ipv4/conf/eth0.100/forwarding`). A plainly dotted key in which an interface name with dots stands
 * (`net.ipv4.conf.eth0.100.forwarding`) works too: in `net.<family>.{conf,neigh}` all between is the name.
 */
export function sysctlPath(key: string): string {
  const slash = key.indexOf('/');
  const dot = key.indexOf('.');
  const isPath = slash >= 0 && (dot < 0 || slash < dot);
  const parts = isPath ? key.split('/') : key.split('.').map((part) => part.replaceAll('/', '.'));
  if (!isPath && !key.includes('/') && parts.length > 5 && /^net\.ipv[46]\.(conf|neigh)\./.test(key)) {
    parts.splice(3, parts.length - 4, parts.slice(3, -1).join('.'));
  }
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new SyscallError('sysctl', key, 22);
  }
  return `/proc/sys/${parts.join('/')}`;
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
