import type { LeaseOwner } from '../src/ipam/store.ts';
import type { Connection } from '../src/netlink/conn.ts';
import { listLinks } from '../src/netlink/ops/links.ts';
import type { RecordFolder } from '../src/state/record.ts';
import { type AttachmentKey, attachmentOfAlias, hostInterfaceName } from './names.ts';

/**
 * Tells whether the owner of a lease still has an attachment on the network: a host end, or a record. Links and records
 * are listed when the first owner is asked for.
 */
export function liveAttachments(
  host: Connection,
  records: RecordFolder,
  network: string,
): (owner: LeaseOwner) => boolean {
  let names: Set<string> | undefined;
  let attached: AttachmentKey[] = [];
  return ({ containerId, ifname }) => {
    if (names === undefined) {
      const links = listLinks(host);
      attached = links.flatMap((link) => attachmentOfAlias(link.alias) ?? []);
      names = new Set([...links.map((link) => link.name), ...records.names()]);
    }
    // Leases of old host-local versions name the container alone.
    if (ifname === '')
      return attached.some((key) => key.network === network && key.containerId === containerId);
    return names.has(hostInterfaceName({ network, containerId, ifname }));
  };
}
