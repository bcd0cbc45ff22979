import type { NetworkConfig, RateLimit } from '../../src/cni/config.ts';
import { isErrno } from '../../src/errors.ts';
import type { Connection } from '../../src/netlink/conn.ts';
import {
  createIfb,
  deleteLink,
  findLink,
  findLinkIndex,
  setLinkRequest,
} from '../../src/netlink/ops/links.ts';
import { connect } from '../../src/netlink/socket.ts';
import { isRedirected, redirectIncoming } from '../../src/shaping/redirect.ts';
import { type Shaping, shaperFaults, shaperRequests } from '../../src/shaping/shaper.ts';
import { linkInTheWay } from '../in-the-way.ts';
import { switchOffIpv6 } from '../ipv6.ts';
import { DEFAULT_MTU } from '../layout.ts';
import {
  type AttachmentKey,
  hostEndsOfIfb,
  hostInterfaceAlias,
  ifbName,
  isIfb,
  isIfbOf,
  isOwnIfb,
  macAddresses,
} from '../names.ts';
import type { Feature } from './feature.ts';

// As other links have it; an ifb of its own accord holds 32 packets.
const QUEUE_LENGTH = 1000;

/**
 * Limits of what the container receives (ingress), which is what goes out of its host end, and of what it sends (egress),
 * which comes in there: it is led through an ifb, for only what goes out can be shaped.
 */
export const bandwidth: Feature = {
  name: 'bandwidth',
  // No undo of its own: host end and ifb are taken back together.
  add({ key, config, host, hostEnd }) {
    const { ingress, egress } = config.bandwidth ?? {};
    if (ingress !== undefined) host.batchAll(shaperRequests(hostEnd, shaping(config, ingress)));
    if (egress === undefined) return;
    const ifb = { name: ifbName(key), ifindex: makeIfb(host, key, mtuOf(config)) };
    host.batchAll(shaperRequests(ifb, shaping(config, egress)));
    redirectIncoming(host, hostEnd, ifb.ifindex);
  },
  interfaces: ({ key, config }) =>
    config.bandwidth?.egress === undefined
      ? []
      : [{ name: ifbName(key), mac: macAddresses(key).ifb, mtu: mtuOf(config) }],
  check({ key, config, host, hostEnd }) {
    const { ingress, egress } = config.bandwidth ?? {};
    const faults =
      ingress === undefined ? [] : shaperFaults(host, hostEnd, shaping(config, ingress), 'the ingress limit');
    if (egress === undefined) return faults;
    const name = ifbName(key);
    const link = findLink(host, name);
    if (link === undefined || !isIfbOf(link, key))
      return [...faults, `the egress limit is off: ${name} is missing`];
    if (!link.up) faults.push(`${name}, which limits egress, is down`);
    const ifb = { name, ifindex: link.index };
    faults.push(...shaperFaults(host, ifb, shaping(config, egress), 'the egress limit'));
    if (!isRedirected(host, hostEnd.ifindex, ifb.ifindex))
      faults.push(`the egress limit is off: ${hostEnd.name} does not lead to ${name}`);
    return faults;
  },
  remove() {},
  companions(host, key, record) {
    if (record !== undefined && record.ifb === undefined) return [];
    const link = findLink(host, ifbName(key));
    return link !== undefined && isIfbOf(link, key) ? [link.index] : [];
  },
  survey: () => (present) => {
    const orphans = [...present].filter(
      (name) => isIfb(name) && !hostEndsOfIfb(name).some((end) => present.has(end)),
    );
    if (orphans.length === 0) return;
    const host = connect();
    try {
      for (const name of orphans) deleteOrphan(host, name);
    } finally {
      host.close();
    }
  },
};

function mtuOf({ mtu = DEFAULT_MTU }: NetworkConfig): number {
  return mtu;
}

function shaping(config: NetworkConfig, limit: RateLimit): Shaping {
  return { ...limit, mtu: mtuOf(config), subnets: config.bandwidth?.subnets };
}

/** Makes the ifb of an attachment, and gives it the alias by which GC finds it; returns its index. */
function makeIfb(host: Connection, key: AttachmentKey, mtu: number): number {
  const ifb = { name: ifbName(key), mac: macAddresses(key).ifb, mtu, txQueueLength: QUEUE_LENGTH };
  let index: number;
  try {
    index = createIfb(host, ifb);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
    makeWay(host, key, ifb.name);
    index = createIfb(host, ifb);
  }
  switchOffIpv6(ifb.name);
  host.request(setLinkRequest(index, { alias: hostInterfaceAlias(key), up: true }));
  return index;
}

function makeWay(host: Connection, key: AttachmentKey, name: string): void {
  const link = findLink(host, name);
  if (link === undefined) return;
  if (!isIfbOf(link, key)) throw linkInTheWay(link);
  // The host end is new, so this one is of an earlier life: it outlived a container that was never deleted.
  deleteLink(host, link.index);
}

function deleteOrphan(host: Connection, name: string): void {
  const link = findLink(host, name);
  if (link === undefined || !isOwnIfb(link)) return;
  // Looked for last: the ifb of a container that comes meanwhile is another link, which has another index.
  if (hostEndsOfIfb(name).some((end) => findLinkIndex(host, end) !== undefined)) return;
  deleteLink(host, link.index);
}
