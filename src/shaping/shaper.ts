import { type IpPrefix, ipToBytes, networkOf } from '../ip/address.ts';
import { ETH_P_IP, ETH_P_IPV6 } from '../netlink/abi/pkt_cls.ts';
import { TC_H_ROOT } from '../netlink/abi/pkt_sched.ts';
import type { Connection, Request } from '../netlink/conn.ts';
import {
  bucketTicks,
  type FilterSpec,
  type TbfSpec,
  type TokenBucket,
  type U32Key,
} from '../netlink/message/tc.ts';
import {
  classRequest,
  filterRequest,
  findQdisc,
  listClasses,
  listFilters,
  qdiscRequest,
  tcHandle,
} from '../netlink/ops/tc.ts';

/** How what goes out of a link is shaped. */
export interface Shaping {
  /** Bits per second. */
  readonly rate: number;
  /** Bits. */
  readonly burst: number;
  /** Bytes of the largest packet, without link header. */
  readonly mtu: number;
  /** Destinations that alone are shaped, or that alone are not; without it everything is. */
  readonly subnets?: { readonly shaped: boolean; readonly prefixes: readonly IpPrefix[] } | undefined;
}

/** A link, and its name for errors. */
export interface ShapedLink {
  readonly ifindex: number;
  readonly name: string;
}

const U32_MAX = 0xffffffff;
const QDISC = tcHandle(1, 0);
const SHAPED_MINOR = 0x30;
/** The class of a htb that has the limit. */
export const SHAPED = tcHandle(1, SHAPED_MINOR);
// `1:0` is no class: packets that a filter sends there leave at once.
const UNSHAPED = QDISC;
// An Ethernet header and a VLAN tag.
const LINK_HEADER = 18;

function bucketOf({ rate, burst, mtu }: Shaping): TokenBucket {
  return {
    rate: Math.floor(rate / 8),
    // A packet that the bucket can never hold would never pass.
    burst: Math.max(Math.floor(burst / 8), mtu + LINK_HEADER),
  };
}

// Four segments of the largest size that the network stack makes.
const MOST_BURST_WAITING = 256 * 1024;

/**
 * tbf: what may wait is what the rate takes 25 ms for, beside what comes at once. Of the burst only so much, for it may be
 * as large as 4 GiB: packets that wait are the host's memory, which a container must not be able to fill.
 */
function tbfOf(shaping: Shaping): TbfSpec {
  const bucket = bucketOf(shaping);
  const waiting = Math.floor(bucket.rate / 40) + Math.min(bucket.burst, MOST_BURST_WAITING);
  return { kind: 'tbf', ...bucket, limit: Math.min(waiting, U32_MAX) };
}

/**
 * The requests that make a link shape what goes out of it: a tbf, or, where destinations count, a htb with one class and
 * filters, as the reference plugin has it. They fail with EEXIST if the link has a qdisc of somebody else's.
 */
export function shaperRequests({ ifindex, name }: ShapedLink, shaping: Shaping): Request[] {
  const { subnets } = shaping;
  if (subnets === undefined) return [qdiscRequest({ ifindex }, tbfOf(shaping), 'add', name)];
  return [
    qdiscRequest({ ifindex }, { kind: 'htb', defaultClass: defaultClass(subnets) }, 'add', name),
    classRequest({ ifindex, parent: QDISC, classid: SHAPED, ...bucketOf(shaping) }, name),
    ...filtersOf(ifindex, subnets).map((filter) => filterRequest(filter, name)),
  ];
}

type Subnets = NonNullable<Shaping['subnets']>;

function defaultClass({ shaped }: Subnets): number {
  return shaped ? 0 : SHAPED_MINOR;
}

function filtersOf(ifindex: number, { shaped, prefixes }: Subnets): FilterSpec[] {
  return prefixes.map((prefix) => ({
    ifindex,
    parent: QDISC,
    // Filters of one priority have one protocol.
    ...(prefix.address.family === 4
      ? { priority: 16, protocol: ETH_P_IP }
      : { priority: 15, protocol: ETH_P_IPV6 }),
    keys: destinationKeys(prefix),
    classid: shaped ? SHAPED : UNSHAPED,
  }));
}

/** The destination address of a packet's IP header, compared in words of four bytes. */
function destinationKeys(prefix: IpPrefix): U32Key[] {
  const network = ipToBytes(networkOf(prefix));
  const view = new DataView(network.buffer);
  const start = network.length === 4 ? 16 : 24;
  const keys: U32Key[] = [];
  for (let at = 0; at * 8 < prefix.prefixLength; at += 4) {
    const bits = Math.min(prefix.prefixLength - at * 8, 32);
    keys.push({ mask: U32_MAX - (2 ** (32 - bits) - 1), value: view.getUint32(at), offset: start + at });
  }
  return keys;
}

/** What is not as {@link shaperRequests} made it, in words; `what` says which limit it is. Throws {@link NetlinkError}. */
export function shaperFaults(
  conn: Connection,
  { ifindex, name }: ShapedLink,
  shaping: Shaping,
  what: string,
): string[] {
  const { subnets } = shaping;
  const kind = subnets === undefined ? 'tbf' : 'htb';
  const qdisc = findQdisc(conn, ifindex, TC_H_ROOT);
  if (qdisc?.kind !== kind) return [`${what} is off: ${name} has no qdisc ${kind}`];
  if (subnets === undefined) return [...bucketFaults(qdisc, shaping, `${what} on ${name}`)];
  const bucket = listClasses(conn, ifindex).find(({ classid }) => classid === SHAPED);
  if (bucket === undefined) return [`${what} is off: ${name} has no class 1:30`];
  const faults = bucketFaults(bucket, shaping, `${what} on ${name}`);
  const found = listFilters(conn, ifindex, QDISC).map(textOf);
  const wanted = filtersOf(ifindex, subnets).map(textOf);
  if (qdisc.defaultClass !== defaultClass(subnets) || found.sort().join() !== wanted.sort().join())
    faults.push(`${what} on ${name} is for other subnets`);
  return faults;
}

function bucketFaults(
  found: { readonly rate?: number; readonly ticks?: number },
  shaping: Shaping,
  what: string,
): string[] {
  const bucket = bucketOf(shaping);
  if (found.rate !== bucket.rate)
    return [`${what} is ${(found.rate ?? 0) * 8} bit/s, not ${bucket.rate * 8} bit/s`];
  return isAbout(found.ticks ?? 0, bucketTicks(bucket)) ? [] : [`${what} has another burst`];
}

/**
 * Whether the kernel's ticks are those wanted. It multiplies with a reciprocal of the rate, which is a little off, and
 * shows 32 bits: of a tbf the lower ones, of a htb never more than there are.
 */
function isAbout(found: number, wanted: number): boolean {
  const margin = 2 + wanted * 1e-6;
  if (wanted > U32_MAX && found === U32_MAX) return true;
  const apart = Math.abs(found - (wanted % (U32_MAX + 1)));
  return Math.min(apart, U32_MAX + 1 - apart) <= margin;
}

function textOf({ protocol, classid, keys = [] }: Partial<FilterSpec>): string {
  // What matches everything has one key of zeroes, where the kernel shows it.
  const telling = keys.filter(({ mask }) => mask !== 0);
  return JSON.stringify([protocol, classid, telling.map(({ mask, value, offset }) => [mask, value, offset])]);
}
