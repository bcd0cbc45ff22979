import * as abi from '../abi/nfnetlink_conntrack.ts';
import { AF_INET, AF_INET6 } from '../abi/socket.ts';
import { WireError } from '../errors.ts';
import type { Request } from '../request.ts';
import { attr, attributes, nested } from '../wire/attributes.ts';
import { concat, slice } from '../wire/buffer.ts';
import { be16, be32, type Codec, ip, u8, u32 } from '../wire/value.ts';
import { nfgenmsg } from './nfgenmsg.ts';

// Attributes of a connection: CTA_*, <linux/netfilter/nfnetlink_conntrack.h>. Numbers are in network order, the
// flags of CTA_FILTER alone are in the host's.
const addresses = attributes({
  source4: attr(abi.CTA_IP_V4_SRC, addressOf(4)),
  destination4: attr(abi.CTA_IP_V4_DST, addressOf(4)),
  source6: attr(abi.CTA_IP_V6_SRC, addressOf(6)),
  destination6: attr(abi.CTA_IP_V6_DST, addressOf(6)),
});
const protocolPart = attributes({
  protocol: attr(abi.CTA_PROTO_NUM, u8),
  sourcePort: attr(abi.CTA_PROTO_SRC_PORT, be16),
  destinationPort: attr(abi.CTA_PROTO_DST_PORT, be16),
  icmpId: attr(abi.CTA_PROTO_ICMP_ID, be16),
  icmpType: attr(abi.CTA_PROTO_ICMP_TYPE, u8),
  icmpCode: attr(abi.CTA_PROTO_ICMP_CODE, u8),
  icmpv6Id: attr(abi.CTA_PROTO_ICMPV6_ID, be16),
  icmpv6Type: attr(abi.CTA_PROTO_ICMPV6_TYPE, u8),
  icmpv6Code: attr(abi.CTA_PROTO_ICMPV6_CODE, u8),
});
const tuple = attributes({
  ip: nested(abi.CTA_TUPLE_IP, addresses),
  proto: nested(abi.CTA_TUPLE_PROTO, protocolPart),
});
const filter = attributes({
  originalFlags: attr(abi.CTA_FILTER_ORIG_FLAGS, u32),
  replyFlags: attr(abi.CTA_FILTER_REPLY_FLAGS, u32),
});
const entry = attributes({
  original: nested(abi.CTA_TUPLE_ORIG, tuple),
  reply: nested(abi.CTA_TUPLE_REPLY, tuple),
  status: attr(abi.CTA_STATUS, be32),
  id: attr(abi.CTA_ID, be32),
  zone: attr(abi.CTA_ZONE, be16),
  filter: nested(abi.CTA_FILTER, filter),
});

// Which fields of a tuple CTA_FILTER compares: CTA_FILTER_F_*, net/netfilter/nf_internals.h of the kernel; no
// header for programs has them.
const FILTER_IP_SRC = 1 << 0;
const FILTER_IP_DST = 1 << 1;
const FILTER_PROTO_NUM = 1 << 3;
const FILTER_PROTO_SRC_PORT = 1 << 4;
const FILTER_PROTO_DST_PORT = 1 << 5;

/** One direction of a connection. */
export interface ConntrackTuple {
  readonly source: string;
  readonly destination: string;
  /** TCP, UDP, SCTP, DCCP, and GRE's keys: absent for protocols without ports. */
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  /** ICMP and ICMPv6 in the place of ports. */
  readonly icmp?: { readonly id: number; readonly type: number; readonly code: number };
}

/** What names one connection to the kernel. */
export interface ConntrackKey {
  readonly family: 4 | 6;
  /** IPPROTO_* number: 6 TCP, 17 UDP. */
  readonly protocol: number;
  /** As the first packet had it, before address translation. */
  readonly original: ConntrackTuple;
  /** The kernel's number of the entry; with it a later entry of the same tuple is not meant. */
  readonly id?: number;
  /** Connection tracking zone; 0 when it is left out. */
  readonly zone?: number;
}

/** One entry of the connection tracking table. */
export interface ConntrackEntry extends ConntrackKey {
  /** As answers are expected, after address translation. */
  readonly reply: ConntrackTuple;
  /** IPS_* bits, <linux/netfilter/nf_conntrack_common.h>: 0x2 reply seen, 0x10 source and 0x20 destination translated. */
  readonly status: number;
  readonly id: number;
}

interface FilterBase {
  readonly family: 4 | 6;
  /** IPPROTO_* number, never 0. */
  readonly protocol: number;
}
interface FilterFields {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
}
type AtLeastOne<T> = { [K in keyof T]: Pick<T, K> & Partial<T> }[keyof T];

/**
 * Which connections are meant, by their original direction: of one family and protocol, and of at least one address
 * or port. There is no filter for all of them, for a deletion by it would be a flush of the host's table.
 */
export type ConntrackFilter = FilterBase & AtLeastOne<FilterFields>;

function header(family: 4 | 6): Uint8Array {
  return nfgenmsg(family === 4 ? AF_INET : AF_INET6);
}

function addressOf(family: 4 | 6): Codec<string> {
  return {
    encode(text) {
      const bytes = ip.encode(text);
      if (bytes.length === (family === 4 ? 4 : 16)) return bytes;
      if (family === 4) throw new WireError(`${text} is not an IPv4 address`);
      // What is mapped from IPv4 is read as IPv4, and may stand in a packet of IPv6 all the same.
      const mapped = new Uint8Array(16).fill(0xff, 10, 12);
      mapped.set(bytes, 12);
      return mapped;
    },
    decode: ip.decode,
  };
}

function encodeAddresses(family: 4 | 6, source: string | undefined, destination: string | undefined) {
  return family === 4
    ? { source4: source, destination4: destination }
    : { source6: source, destination6: destination };
}

function encodeTuple({ family, protocol, original }: ConntrackKey) {
  const { source, destination, sourcePort, destinationPort, icmp } = original;
  const number = icmp ?? { id: undefined, type: undefined, code: undefined };
  return {
    ip: encodeAddresses(family, source, destination),
    proto: {
      protocol,
      sourcePort,
      destinationPort,
      ...(family === 4
        ? { icmpId: number.id, icmpType: number.type, icmpCode: number.code }
        : { icmpv6Id: number.id, icmpv6Type: number.type, icmpv6Code: number.code }),
    },
  };
}

// A request to delete that has no tuple deletes everything: this is the only way out for one.
function deleteRequest(family: 4 | 6, body: Uint8Array, what: string): Request {
  if (!entry.decode(body).original?.proto?.protocol)
    throw new WireError(`${what}: without a tuple all connections of the host would go`);
  return {
    type: (abi.NFNL_SUBSYS_CTNETLINK << 8) | abi.IPCTNL_MSG_CT_DELETE,
    name: 'IPCTNL_MSG_CT_DELETE',
    payload: concat([header(family), body]),
    what,
  };
}

function describeConntrack({ family, protocol, original }: ConntrackKey): string {
  const port = (of: number | undefined): string => (of === undefined ? '' : ` port ${of}`);
  const { source, destination, sourcePort, destinationPort } = original;
  return `IPv${family} protocol ${protocol} from ${source}${port(sourcePort)} to ${destination}${port(destinationPort)}`;
}

/** The request to delete one connection. Throws {@link WireError} for what is no address or port. */
export function deleteEntry(key: ConntrackKey): Request {
  const body = entry.encode({ original: encodeTuple(key), id: key.id, zone: key.zone });
  return deleteRequest(key.family, body, `delete conntrack entry ${describeConntrack(key)}`);
}

function encodeFilter(by: ConntrackFilter): Uint8Array {
  const { family, protocol, source, destination, sourcePort, destinationPort } = by;
  const parts: readonly (readonly [unknown, number])[] = [
    [source, FILTER_IP_SRC],
    [destination, FILTER_IP_DST],
    [sourcePort, FILTER_PROTO_SRC_PORT],
    [destinationPort, FILTER_PROTO_DST_PORT],
  ];
  let fields = 0;
  for (const [value, bit] of parts) if (value !== undefined) fields |= bit;
  // Types do not reach callers without them, and what a filter lets through is deleted.
  if (fields === 0 || !Number.isInteger(protocol) || protocol <= 0)
    throw new WireError('a conntrack filter needs a protocol, and an address or a port');
  const hasAddress = source !== undefined || destination !== undefined;
  return entry.encode({
    original: {
      ip: hasAddress ? encodeAddresses(family, source, destination) : undefined,
      proto: { protocol, sourcePort, destinationPort },
    },
    filter: { originalFlags: fields | FILTER_PROTO_NUM, replyFlags: 0 },
  });
}

function describeFilter(by: ConntrackFilter): string {
  const { family, protocol, source, destination, sourcePort, destinationPort } = by;
  const parts = [
    `IPv${family} protocol ${protocol}`,
    source === undefined ? '' : ` from ${source}`,
    sourcePort === undefined ? '' : ` source port ${sourcePort}`,
    destination === undefined ? '' : ` to ${destination}`,
    destinationPort === undefined ? '' : ` port ${destinationPort}`,
  ];
  return parts.join('');
}

/**
 * The request to delete all connections that a filter means. Kernels that know no filter for deletions refuse the
 * incomplete tuple in it (EINVAL), and delete nothing. Throws {@link WireError} for a filter that means everything.
 */
export function deleteMatching(by: ConntrackFilter): Request {
  return deleteRequest(by.family, encodeFilter(by), `delete conntrack entries of ${describeFilter(by)}`);
}

/** The request for a dump: of one family, and if the kernel can, of what a filter means only. */
export function listEntries(family: 4 | 6, by?: ConntrackFilter): Request {
  return {
    type: (abi.NFNL_SUBSYS_CTNETLINK << 8) | abi.IPCTNL_MSG_CT_GET,
    name: 'IPCTNL_MSG_CT_GET',
    payload: concat(by === undefined ? [header(family)] : [header(family), encodeFilter(by)]),
    what:
      by === undefined
        ? `list IPv${family} conntrack entries`
        : `list conntrack entries of ${describeFilter(by)}`,
  };
}

type RawTuple = NonNullable<ReturnType<typeof entry.decode>['original']>;

function decodeTuple({ ip: addressed, proto }: RawTuple, family: 4 | 6): ConntrackTuple {
  const source = family === 4 ? addressed?.source4 : addressed?.source6;
  const destination = family === 4 ? addressed?.destination4 : addressed?.destination6;
  if (source === undefined || destination === undefined)
    throw new WireError('a conntrack tuple without addresses');
  const { sourcePort, destinationPort } = proto ?? {};
  const id = proto?.icmpId ?? proto?.icmpv6Id;
  const type = proto?.icmpType ?? proto?.icmpv6Type;
  const code = proto?.icmpCode ?? proto?.icmpv6Code;
  return {
    source,
    destination,
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(destinationPort === undefined ? {} : { destinationPort }),
    ...(id === undefined || type === undefined || code === undefined ? {} : { icmp: { id, type, code } }),
  };
}

/** Decodes the payload of IPCTNL_MSG_CT_NEW. Throws {@link WireError}. */
export function decodeEntry(payload: Uint8Array): ConntrackEntry {
  const header = slice(payload, 0, 4);
  const family = header[0] === AF_INET ? 4 : 6;
  const { original, reply, status, id, zone } = entry.decode(payload.subarray(4));
  const protocol = original?.proto?.protocol;
  if (original === undefined || reply === undefined || protocol === undefined || id === undefined)
    throw new WireError('a conntrack entry without tuples or id');
  return {
    family,
    protocol,
    original: decodeTuple(original, family),
    reply: decodeTuple(reply, family),
    status: status ?? 0,
    id,
    ...(zone === undefined ? {} : { zone }),
  };
}
