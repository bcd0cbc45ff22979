import { deleteLink, findLink } from '../src/netlink/ops/links.ts';
import { connect } from '../src/netlink/socket.ts';
import { removeMasquerade } from '../src/nftables/masquerade.ts';
import { type AttachmentKey, hostInterfaceName, isHostEndOf } from './names.ts';

/**
 * Takes the host's side of an attachment away, and with it the container's. Rules that steer traffic go before the
 * link; what is gone already is success, and a link of that name that is somebody else's stays.
 * Throws {@link NetlinkError}.
 */
export function teardown(key: AttachmentKey): void {
  const hostName = hostInterfaceName(key);
  removeMasquerade(hostName);
  deleteHostEnd(key);
}

/** Deletes the host end of an attachment, if it is there and ours. Throws {@link NetlinkError}. */
export function deleteHostEnd(key: AttachmentKey): void {
  const host = connect();
  try {
    const link = findLink(host, hostInterfaceName(key));
    // By its index: what has the name when the request arrives may be another link.
    if (link !== undefined && isHostEndOf(link, key)) deleteLink(host, link.index);
  } finally {
    host.close();
  }
}
