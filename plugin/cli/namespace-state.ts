import { isErrno } from '../../src/errors.ts';
import type { Link } from '../../src/netlink/message/link.ts';
import type { AttachmentRecord } from '../../src/state/record.ts';
import { type Stats, statSync } from '../../src/sys/fs.ts';

/**
 * What has become of a container's network namespace: `alive`: it is where ADD found it; `detached`: the path leads
 * elsewhere or is not known, but the namespace lives, as its end of the pair of links does; `gone`: it is no more.
 */
export type NamespaceState = 'alive' | 'detached' | 'gone';

/** `hostEnd` is the host end of the attachment's pair of links, if that is there. Throws {@link SyscallError}. */
export function namespaceState(
  record: AttachmentRecord | undefined,
  hostEnd: Link | undefined,
): NamespaceState {
  if (record !== undefined) {
    // Also where the link is gone: the container may have lost it, which is no reason to take the rest away.
    if (isNamespaceOf(record, statOf(record.netns.path))) return 'alive';
  }
  // Both ends of a pair go together, and the container's goes with its namespace.
  return hostEnd?.linkNetnsid === undefined ? 'gone' : 'detached';
}

/** Whether a file, if it is there, is the network namespace that ADD found. */
export function isNamespaceOf({ netns }: AttachmentRecord, file: Stats | undefined): boolean {
  return file?.dev === netns.dev && Number(file.ino) === netns.ino;
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    // A process that has ended but not yet been waited for.
    if (isErrno(error, 'ESRCH', 'ELOOP', 'ENAMETOOLONG', 'EINVAL')) return undefined;
    throw error;
  }
}
