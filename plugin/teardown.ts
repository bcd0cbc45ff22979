import { deleteLinks, findLink } from '../src/netlink/ops/links.ts';
import { connect } from '../src/netlink/socket.ts';
import type { AttachmentRecord } from '../src/state/record.ts';
import { FEATURES } from './features/all.ts';
import { type AttachmentKey, hostInterfaceName, isHostEndOf } from './names.ts';
import { stepDone } from './steps.ts';

/**
 * Takes the host's side of an attachment away, and with it the container's. Rules that steer traffic go before the
 * link; what is gone already is success, and a link of that name that is somebody else's stays.
 * Throws {@link NetlinkError}.
 *
 * @returns what may be done last: to wait for the kernel's deletions, which meanwhile goes on by itself
 */
export function teardown(key: AttachmentKey, record: AttachmentRecord | undefined): () => void {
  const hostName = hostInterfaceName(key);
  const last: (() => void)[] = [];
  for (const feature of FEATURES) {
    feature.remove({ key, hostName, record, later: (step) => last.push(step) });
    stepDone(feature.name);
  }
  deleteHostLinks(key, record);
  stepDone('links');
  return () => {
    for (const step of last) step();
  };
}

/**
 * Deletes the host end of an attachment, if it is there and ours, and the links that features have made for it.
 * Throws {@link NetlinkError}.
 */
export function deleteHostLinks(key: AttachmentKey, record: AttachmentRecord | undefined): void {
  const host = connect();
  try {
    const link = findLink(host, hostInterfaceName(key));
    // By its index: what has the name when the request arrives may be another link.
    const indexes = link !== undefined && isHostEndOf(link, key) ? [link.index] : [];
    for (const feature of FEATURES) indexes.push(...(feature.companions?.(host, key, record) ?? []));
    deleteLinks(host, indexes);
  } finally {
    host.close();
  }
}
