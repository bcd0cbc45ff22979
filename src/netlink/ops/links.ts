import { isErrno, NotFoundError } from '../../errors.ts';
import * as abi from '../abi/if_link.ts';
import { NLM_F_CREATE, NLM_F_ECHO, NLM_F_EXCL } from '../abi/netlink.ts';
import { RTM_DELLINK, RTM_GETLINK, RTM_NEWLINK, RTM_SETLINK } from '../abi/rtnetlink.ts';
import type { Connection, Request } from '../conn.ts';
import {
  decodeLink,
  decodeLinkIndex,
  decodePairIndexes,
  type Link,
  type LinkAttributes,
  linkMessage,
  vethPeer,
} from '../message/link.ts';

/** One end of a veth pair: its final name and where it lies. */
export interface VethEnd {
  readonly name: string;
  /** Namespace to create the end in; the connection's own when it is left out. The caller keeps the fd. */
  readonly netnsFd?: number;
  /** MAC address; the kernel chooses when it is left out. */
  readonly mac?: string;
  /** MTU in bytes; 1500 when it is left out. */
  readonly mtu?: number;
  /** Interface group, for {@link deleteLinksByGroup}. */
  readonly group?: number;
}

/** The first end of a veth pair. */
export interface FirstVethEnd extends VethEnd {
  /** Set it up in the same request. The kernel does so for this end only: the other has no peer yet by then. */
  readonly up?: boolean;
}

function endAttributes(end: VethEnd): LinkAttributes {
  return { ifname: end.name, netNsFd: end.netnsFd, address: end.mac, mtu: end.mtu, group: end.group };
}

/** The request of {@link createVeth}, for a batch. */
export function vethRequest(host: FirstVethEnd, peer: VethEnd): Request {
  const flags = host.up === true ? { flags: abi.IFF_UP, change: abi.IFF_UP } : {};
  const linkinfo = { kind: 'veth', data: vethPeer(endAttributes(peer)) };
  return {
    type: RTM_NEWLINK,
    name: 'RTM_NEWLINK',
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload: linkMessage.encode(flags, { ...endAttributes(host), linkinfo }),
    what: `create veth pair ${host.name} and ${peer.name}`,
  };
}

/** The indexes of a new pair, each in the namespace of its end. */
export interface VethIndexes {
  readonly index: number;
  readonly peerIndex: number;
}

/**
 * Creates a veth pair, each end in its namespace under its final name, MAC and MTU, with one request: the kernel
 * makes both or neither. Throws {@link NetlinkError}: EEXIST (a name is taken), EPERM, EINVAL (a bad name).
 */
export function createVeth(conn: Connection, host: FirstVethEnd, peer: VethEnd): void {
  conn.request(vethRequest(host, peer));
}

/** Like {@link createVeth} with the host end in the connection's namespace; returns each end's index in its own. */
export function createVethHere(
  conn: Connection,
  host: Omit<FirstVethEnd, 'netnsFd'>,
  peer: VethEnd,
): VethIndexes {
  const request = vethRequest(host, peer);
  // With NLM_F_ECHO newer kernels answer with the link that was made, which spares asking for it.
  const [echo] = conn.request({ ...request, flags: (request.flags ?? 0) | NLM_F_ECHO });
  const { index, peerIndex } = echo === undefined ? getLink(conn, host.name) : decodePairIndexes(echo);
  if (peerIndex === undefined) throw new NotFoundError(request.what, `the other end of ${host.name}`);
  return { index, peerIndex };
}

/** Creates a bridge. Throws {@link NetlinkError} (EEXIST). */
export function createBridge(conn: Connection, name: string): void {
  conn.request({
    type: RTM_NEWLINK,
    name: 'RTM_NEWLINK',
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload: linkMessage.encode({}, { ifname: name, linkinfo: { kind: 'bridge' } }),
    what: `create bridge ${name}`,
  });
}

/** An intermediate functional block: what is redirected to it goes on where it came from, after its qdisc. */
export interface IfbSpec {
  readonly name: string;
  readonly mtu?: number;
  readonly mac?: string;
  /** Packets that its qdisc may hold, where that counts packets; 32 when it is left out. */
  readonly txQueueLength?: number;
  /** Set it up in the same request. */
  readonly up?: boolean;
}

/** The request of {@link createIfb}, for a batch. */
export function ifbRequest({ name, mtu, mac, txQueueLength, up = false }: IfbSpec): Request {
  return {
    type: RTM_NEWLINK,
    name: 'RTM_NEWLINK',
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload: linkMessage.encode(up ? { flags: abi.IFF_UP, change: abi.IFF_UP } : {}, {
      ifname: name,
      address: mac,
      mtu,
      txQueueLength,
      linkinfo: { kind: 'ifb' },
    }),
    what: `create ifb ${name}`,
  };
}

/** Creates an ifb; returns its index. Throws {@link NetlinkError}: EEXIST (the name is taken), EOPNOTSUPP (no ifb here). */
export function createIfb(conn: Connection, spec: IfbSpec): number {
  const request = ifbRequest(spec);
  // As in createVethHere.
  const [echo] = conn.request({ ...request, flags: (request.flags ?? 0) | NLM_F_ECHO });
  return echo === undefined ? getLinkIndex(conn, spec.name) : decodeLinkIndex(echo);
}

/** A link, by name or by index. */
export type LinkRef = string | number;

function refer(link: LinkRef): { header: { index?: number }; attributes: LinkAttributes } {
  return typeof link === 'string'
    ? { header: {}, attributes: { ifname: link } }
    : { header: { index: link }, attributes: {} };
}

function askForLink<T>(conn: Connection, link: LinkRef, decode: (payload: Uint8Array) => T): T | undefined {
  const { header, attributes } = refer(link);
  try {
    const [payload] = conn.request({
      type: RTM_GETLINK,
      name: 'RTM_GETLINK',
      payload: linkMessage.encode(header, attributes),
      what: `get link ${link}`,
    });
    return payload === undefined ? undefined : decode(payload);
  } catch (error) {
    if (isErrno(error, 'ENODEV')) return undefined;
    throw error;
  }
}

function present<T>(found: T | undefined, link: LinkRef): T {
  if (found === undefined) throw new NotFoundError('get link', `link ${link}`);
  return found;
}

/** The link of that name or index; undefined when there is none. */
export function findLink(conn: Connection, link: LinkRef): Link | undefined {
  return askForLink(conn, link, decodeLink);
}

/** Like {@link findLink}, but throws {@link NotFoundError}. */
export function getLink(conn: Connection, link: LinkRef): Link {
  return present(findLink(conn, link), link);
}

/** The index of a link, which is cheaper to ask for than all of it; undefined when there is none. */
export function findLinkIndex(conn: Connection, name: string): number | undefined {
  return askForLink(conn, name, decodeLinkIndex);
}

/** Like {@link findLinkIndex}, but throws {@link NotFoundError}. */
export function getLinkIndex(conn: Connection, name: string): number {
  return present(findLinkIndex(conn, name), name);
}

/** Every link of the namespace; complete even if links come and go meanwhile. */
export function listLinks(conn: Connection): Link[] {
  return conn
    .dump({ type: RTM_GETLINK, name: 'RTM_GETLINK', payload: linkMessage.encode({}, {}), what: 'list links' })
    .map(decodeLink);
}

/** What {@link setLink} changes; what is left out stays. */
export interface LinkChange {
  readonly up?: boolean;
  /** Whether to receive what is for others. */
  readonly promisc?: boolean;
  /** Whether to receive all multicast. */
  readonly allmulti?: boolean;
  readonly mtu?: number;
  readonly mac?: string;
  /** Packets that the transmit queue holds, an unsigned number of 32 bits. */
  readonly txQueueLength?: number;
  /** Index of the master (bridge); 0 frees the link from its master. */
  readonly masterIndex?: number;
  readonly group?: number;
  readonly name?: string;
  /** A text for people and programs, at most 254 bytes. */
  readonly alias?: string;
  readonly netnsFd?: number;
  /** How the link gets its IPv6 link-local address: IN6_ADDR_GEN_MODE_*. Heeded when the link comes up. */
  readonly addrGenMode?: number;
}

function flagsOf({ up, promisc, allmulti }: LinkChange): { flags: number; change: number } {
  let flags = 0;
  let change = 0;
  const set = (wanted: boolean | undefined, bit: number): void => {
    if (wanted === undefined) return;
    change |= bit;
    if (wanted) flags |= bit;
  };
  set(up, abi.IFF_UP);
  set(promisc, abi.IFF_PROMISC);
  set(allmulti, abi.IFF_ALLMULTI);
  return { flags, change };
}

/** The request of {@link setLink}, for a batch. */
export function setLinkRequest(link: LinkRef, change: LinkChange): Request {
  const { header, attributes } = refer(link);
  return {
    type: RTM_SETLINK,
    name: 'RTM_SETLINK',
    payload: linkMessage.encode(
      { ...header, ...flagsOf(change) },
      {
        ...attributes,
        ifname: change.name ?? attributes.ifname,
        mtu: change.mtu,
        address: change.mac,
        txQueueLength: change.txQueueLength,
        master: change.masterIndex,
        group: change.group,
        ifalias: change.alias,
        netNsFd: change.netnsFd,
        afSpec: change.addrGenMode === undefined ? undefined : { inet6: { addrGenMode: change.addrGenMode } },
      },
    ),
    what: `set ${Object.keys(change).join(', ')} of link ${link}`,
  };
}

/** Changes a link. Throws {@link NotFoundError} when it does not exist, otherwise {@link NetlinkError}. */
export function setLink(conn: Connection, link: LinkRef, change: LinkChange): void {
  // A rename must name the link by index: IFLA_IFNAME is already the new name.
  const ref = change.name !== undefined && typeof link === 'string' ? getLinkIndex(conn, link) : link;
  const request = setLinkRequest(ref, change);
  try {
    conn.request(request);
  } catch (error) {
    if (isErrno(error, 'ENODEV'))
      throw new NotFoundError(request.what, `link ${link}`, 'ENODEV', { cause: error });
    throw error;
  }
}

/** Deletes a link; one that is gone already is success. Throws {@link NetlinkError} for anything else. */
export function deleteLink(conn: Connection, link: LinkRef): void {
  const { header, attributes } = refer(link);
  try {
    conn.request({
      type: RTM_DELLINK,
      name: 'RTM_DELLINK',
      payload: linkMessage.encode(header, attributes),
      what: `delete link ${link}`,
    });
  } catch (error) {
    if (!isErrno(error, 'ENODEV')) throw error;
  }
}

/** Deletes every link of an interface group in one request; an empty group is success. */
export function deleteLinksByGroup(conn: Connection, group: number): void {
  try {
    conn.request(groupDeletion(group));
  } catch (error) {
    if (!isErrno(error, 'ENODEV')) throw error;
  }
}

/**
 * Deletes several links at once, so that the kernel waits only once until nobody uses them (RCU): they are put into an
 * interface group of their own, and the group is deleted. Links that are gone already are success. Throws
 * {@link NetlinkError}.
 *
 * The group's number is drawn from 2^31. To be asked whether it is free, the kernel would have to go through all links once more,
 * and with thousands of them that takes as long as the second wait that the group spares.
 */
export function deleteLinks(conn: Connection, indexes: readonly number[]): void {
  const [first, ...others] = indexes;
  if (first === undefined) return;
  if (others.length === 0) {
    deleteLink(conn, first);
    return;
  }
  const group = 2 ** 31 + Math.floor(Math.random() * 2 ** 31);
  const moves = indexes.map((index) => setLinkRequest(index, { group }));
  for (const outcome of conn.batch([...moves, groupDeletion(group)]))
    if (outcome !== undefined && !isErrno(outcome, 'ENODEV')) throw outcome;
}

function groupDeletion(group: number): Request {
  return {
    type: RTM_DELLINK,
    name: 'RTM_DELLINK',
    payload: linkMessage.encode({}, { group }),
    what: `delete links of group ${group}`,
  };
}
