import { ConfigError, errorMessage } from '../../src/errors.ts';
import { closeQuietly, openReadOnly } from '../../src/sys/fs.ts';
import { isNetns } from '../../src/sys/netns.ts';

/** The path of a network namespace that is given by its path, by its name (ip-netns(8)) or by a process in it. */
export function netnsPath(given: string): string {
  if (given.includes('/')) return given;
  return /^\d+$/.test(given) ? `/proc/${given}/ns/net` : `/run/netns/${given}`;
}

/** Opens a network namespace, hands it to `fn` and closes it. Throws {@link ConfigError} if it is none. */
export function withNetnsAt<T>(path: string, fn: (netnsFd: number) => T): T {
  let fd: number;
  try {
    fd = openReadOnly(path);
  } catch (error) {
    throw new ConfigError('NETNS', `there is no network namespace (${errorMessage(error)})`, {
      cause: error,
    });
  }
  try {
    if (!isNetns(fd)) throw new ConfigError('NETNS', `${path} is not a network namespace`);
    return fn(fd);
  } finally {
    closeQuietly(fd);
  }
}
