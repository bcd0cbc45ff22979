import { CniError } from '../src/cni/error.ts';
import { errorMessage } from '../src/errors.ts';
import { closeQuietly, fstatSync, openReadOnly, statSync } from '../src/sys/fs.ts';
import { isNetns } from '../src/sys/netns.ts';

/** A container's network namespace: how to enter it, and which one it is (stat(2)). */
export interface Sandbox {
  readonly netnsFd: number;
  readonly dev: number;
  readonly ino: number;
}

/**
 * Opens CNI_NETNS once, hands it to `fn` and closes it: whatever happens to the path meanwhile, all that is
 * done is done to the namespace that was found. Throws {@link CniError} 4 when the path is no network namespace
 * or is the host's own.
 */
export function withSandbox<T>(path: string, fn: (sandbox: Sandbox) => T): T {
  let fd: number;
  try {
    fd = openReadOnly(path);
  } catch (error) {
    throw new CniError(
      4,
      `CNI_NETNS: ${errorMessage(error)}`,
      'the container has no network namespace at this path',
      {
        cause: error,
      },
    );
  }
  try {
    if (!isNetns(fd)) throw new CniError(4, `CNI_NETNS: ${path} is not a network namespace`);
    const [given, own] = [fstatSync(fd), statSync('/proc/thread-self/ns/net')];
    if (given.dev === own?.dev && given.ino === own.ino) {
      throw new CniError(4, `CNI_NETNS: ${path} is the host's own network namespace`);
    }
    return fn({ netnsFd: fd, dev: given.dev, ino: Number(given.ino) });
  } finally {
    closeQuietly(fd);
  }
}
