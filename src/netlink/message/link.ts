import * as abi from '../abi/if_link.ts';
import { AF_INET6 } from '../abi/socket.ts';
import { type AttributesOf, attr, attributes, nested, splitAttributes } from '../wire/attributes.ts';
import { I32, U8, U16, U32 } from '../wire/field.ts';
import { struct } from '../wire/struct.ts';
import { bytes, i32, mac, string, u8, u32 } from '../wire/value.ts';
import { objectCodec } from './object.ts';

/** `struct ifinfomsg`, <linux/rtnetlink.h>. */
export const ifinfomsg = struct({ family: U8, pad: U8, type: U16, index: I32, flags: U32, change: U32 });

const linkInfo = attributes({
  kind: attr(abi.IFLA_INFO_KIND, string),
  data: nested(abi.IFLA_INFO_DATA, bytes),
});

// IFLA_AF_SPEC holds one nest for each address family, numbered by AF_*.
const afSpec = attributes({
  inet6: nested(AF_INET6, attributes({ addrGenMode: attr(abi.IFLA_INET6_ADDR_GEN_MODE, u8) })),
});

/** Attributes of a link: IFLA_*, <linux/if_link.h>. */
export const linkAttributes = attributes({
  address: attr(abi.IFLA_ADDRESS, mac),
  ifname: attr(abi.IFLA_IFNAME, string),
  mtu: attr(abi.IFLA_MTU, u32),
  link: attr(abi.IFLA_LINK, u32),
  master: attr(abi.IFLA_MASTER, u32),
  txQueueLength: attr(abi.IFLA_TXQLEN, u32),
  operstate: attr(abi.IFLA_OPERSTATE, u8),
  linkinfo: nested(abi.IFLA_LINKINFO, linkInfo),
  netNsPid: attr(abi.IFLA_NET_NS_PID, u32),
  ifalias: attr(abi.IFLA_IFALIAS, string),
  afSpec: nested(abi.IFLA_AF_SPEC, afSpec),
  group: attr(abi.IFLA_GROUP, u32),
  netNsFd: attr(abi.IFLA_NET_NS_FD, u32),
  extMask: attr(abi.IFLA_EXT_MASK, u32),
  linkNetnsid: attr(abi.IFLA_LINK_NETNSID, i32),
});
/** The values of {@link linkAttributes}. */
export type LinkAttributes = AttributesOf<typeof linkAttributes>;

/** RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK. */
export const linkMessage = objectCodec(ifinfomsg, linkAttributes);

/** IFLA_INFO_DATA of a veth: VETH_INFO_PEER holds a whole link message for the other end. */
export function vethPeer(peer: LinkAttributes): Uint8Array {
  return attributes({ peer: attr(abi.VETH_INFO_PEER, bytes) }).encode({ peer: linkMessage.encode({}, peer) });
}

/** One link of a namespace. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** IFF_* bits. */
  readonly flags: number;
  readonly up: boolean;
  /** Receives what is for others, as somebody asked; a program that listens (packet(7)) does not show here. */
  readonly promisc: boolean;
  /** Receives all multicast, as somebody asked. */
  readonly allmulti: boolean;
  readonly mtu: number;
  readonly mac: string | undefined;
  /** Kind of a virtual link, such as `veth`; undefined for hardware and loopback. */
  readonly kind: string | undefined;
  /** Index of the peer or the link below, in the namespace `linkNetnsid` (or this one). */
  readonly peerIndex: number | undefined;
  readonly linkNetnsid: number | undefined;
  /** Index of the bridge or other master that the link is a port of. */
  readonly masterIndex: number | undefined;
  readonly group: number;
  /** Packets that the transmit queue holds. */
  readonly txQueueLength: number;
  /** A text that was given to the link (`ip link set alias`). */
  readonly alias: string | undefined;
}

/** The index alone, from the payload of RTM_NEWLINK: a link has a hundred attributes. Throws {@link WireError}. */
export function decodeLinkIndex(payload: Uint8Array): number {
  return ifinfomsg.decode(payload).index;
}

/** The indexes of both ends of a pair, from the payload of RTM_NEWLINK of one. Throws {@link WireError}. */
export function decodePairIndexes(payload: Uint8Array): { index: number; peerIndex: number | undefined } {
  const raw = splitAttributes(payload.subarray(ifinfomsg.size)).find(({ type }) => type === abi.IFLA_LINK);
  return { index: decodeLinkIndex(payload), peerIndex: raw === undefined ? undefined : u32.decode(raw.data) };
}

/** Decodes the payload of RTM_NEWLINK. Throws {@link WireError}. */
export function decodeLink(payload: Uint8Array): Link {
  const { header, attributes: a } = linkMessage.decode(payload);
  return {
    index: header.index,
    name: a.ifname ?? '',
    flags: header.flags,
    up: (header.flags & abi.IFF_UP) !== 0,
    promisc: (header.flags & abi.IFF_PROMISC) !== 0,
    allmulti: (header.flags & abi.IFF_ALLMULTI) !== 0,
    mtu: a.mtu ?? 0,
    mac: a.address === '' ? undefined : a.address,
    kind: a.linkinfo?.kind,
    peerIndex: a.link,
    linkNetnsid: a.linkNetnsid,
    masterIndex: a.master,
    group: a.group ?? 0,
    txQueueLength: a.txQueueLength ?? 0,
    alias: a.ifalias,
  };
}
