import { isErrno } from '../errors.ts';
import { type IpAddress, ipFromBytes, ipToBytes } from '../ip/address.ts';
import * as abi from '../netlink/abi/nf_tables.ts';
import { RTN_LOCAL } from '../netlink/abi/rtnetlink.ts';
import type { Connection, Request } from '../netlink/conn.ts';
import type { NftExpression } from '../netlink/message/nft-expression.ts';
import type { NftElement } from '../netlink/message/nft-set.ts';
import type { NftTypeName } from '../netlink/message/nft-type.ts';
import { sameBytes } from '../netlink/message/nft-user-data.ts';
import { commitNftUnchanged, nftGeneration } from '../netlink/ops/nftables.ts';
import { concat } from '../netlink/wire/buffer.ts';
import { u32 } from '../netlink/wire/value.ts';
import {
  compare,
  connectionStatus,
  destinationNat,
  destinationType,
  inSet,
  isFamily,
  mapLookup,
  mask,
  masquerade,
  metaLoad,
  networkHeader,
  transportHeader,
  verdict,
} from './expressions.ts';
import { elementsOf, findElement } from './look-up.ts';
import { decodeInterfaceName, interfaceName } from './names.ts';
import { type ElementVerb, newBaseChain, newChain, newSet, setElement } from './requests.ts';
import { addElements, isWhole, type Restored, type Ruleset, restore } from './ruleset.ts';
import { inquire, type Later, withNftables } from './transaction.ts';

// The ruleset: a table for the host that is there once a container has had a port. A mapping is one element of a map,
// whose comment says whose it is, by the name of the host end. Only what is addressed to the host itself is redirected.
//
//   table inet plumb-ports {
//     map any4 { type inet_proto . inet_service : ipv4_addr . inet_service; }              # on every address
//     map any6 { type inet_proto . inet_service : ipv6_addr . inet_service; }
//     map bound4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }  # on one address
//     map bound6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }
//     set snat { type ifname; }              # host ends whose containers must see the host where it comes from loopback
//     set self { type ifname . ifname; }     # ... and where it comes from themselves
//     set all { type ifname; }               # ... and always (masqAll)
//     chain redirect {
//       meta nfproto ipv4 dnat ip to ip daddr . meta l4proto . th dport map @bound4
//       meta nfproto ipv4 dnat ip to meta l4proto . th dport map @any4
//       (both for ip6)
//     }
//     chain prerouting { type nat hook prouting priority dstnat; fib daddr type local goto redirect }
//     chain output { type nat hook output priority dstnat; ip6 daddr ::1 return; fib daddr type local goto redirect }
//     chain postrouting { type nat hook postrouting priority srcnat - 1;
//       ct status dnat oifname @all masquerade
//       ct status dnat iifname . oifname @self masquerade
//       ct status dnat ip saddr 127.0.0.0/8 oifname @snat masquerade
//     }
//     chain guard { type filter hook prerouting priority raw; iif != lo ip daddr 127.0.0.0/8 drop }
//   }
//
// ::1 is left alone: the kernel drops the answers that would come to it. The guard is for route_localnet, without which
// 127.0.0.1 on the host does not reach a container, and with which a container would reach 127.0.0.1 on the host.
const TABLE = 'plumb-ports';
const REDIRECT = 'redirect';
const DSTNAT_PRIORITY = -100;
const BEFORE_SRCNAT_PRIORITY = 99;
const RAW_PRIORITY = -300;
const LOOPBACK_INDEX = 1;
const RULESET: Ruleset = {
  table: TABLE,
  least: { redirect: 4, prerouting: 1, output: 2, postrouting: 3, guard: 1 },
  plan,
};
const IPS_DST_NAT = 0x20; // <linux/netfilter/nf_conntrack_common.h>

/** A port of the host that leads to a container. */
export interface PortMapping {
  readonly hostPort: number;
  /** IPPROTO_*: tcp 6, udp 17, sctp 132. */
  readonly protocol: number;
  /** The one address of the host that it is bound to; every address of the container's family if it is left out. */
  readonly hostIp?: IpAddress;
  /** Where it leads. */
  readonly address: IpAddress;
  readonly port: number;
}

/** A mapping without what it leads to: what it is found by. */
export type MappedPort = Pick<PortMapping, 'hostPort' | 'protocol' | 'hostIp'> & { readonly family: 4 | 6 };

/** How a container sees what comes by its ports. */
export interface SourceNat {
  /** From loopback and from the container itself: by the host's address. */
  readonly snat: boolean;
  /** From everywhere: by the host's address. */
  readonly masqAll: boolean;
}

/** What is in the way of a mapping: whose it is. */
export interface Conflict {
  readonly mapping: PortMapping;
  /** The name of the owner's host end; undefined for an element that says nothing. */
  readonly owner: string | undefined;
}

/** What one container has mapped. */
export interface Mapped {
  readonly hostName: string;
  /** Names the container, for `nft list`. */
  readonly label: string;
  readonly mappings: readonly PortMapping[];
  readonly nat: SourceNat;
}

/**
 * Maps ports for a host end, all or none. A port that is mapped already, to whatever place, on the same address or where
 * either is on every one, is taken over if `mayTake` says so of its owner. The ruleset is installed if it is not there,
 * with what `others` has.
 *
 * @returns what is in the way; nothing has been mapped then
 * @throws NetlinkError
 */
export function addPortMappings(
  mapped: Mapped,
  mayTake: (owner: string | undefined) => boolean,
  others: () => readonly Mapped[] = () => [],
): Conflict | undefined {
  const { mappings } = mapped;
  const elements = requests('create', mapped);
  return withNftables((conn) => {
    // The kernel refuses what is in the same map, but does not know that the maps for one and for every address overlap.
    if (overlapping(conn, mappings).length === 0) {
      try {
        addElements(conn, RULESET, [], elements, () => restored(others()));
        // Somebody may have come between. Of two who see each other, neither stays.
        const rival = overlapping(conn, mappings).find(({ owner }) => !mayTake(owner));
        if (rival !== undefined) unmapOwn(conn, mapped.hostName, mappings.map(portOf));
        return rival;
      } catch (error) {
        if (!isErrno(error, 'EEXIST')) throw error;
      }
    }
    let conflict: Conflict | undefined;
    commitNftUnchanged(conn, () => {
      const found = [...same(conn, mappings), ...overlapping(conn, mappings)];
      conflict = found.find(({ owner }) => !mayTake(owner));
      if (conflict !== undefined) return [];
      return [...found.map(({ port }) => unmap(port)), ...elements];
    });
    return conflict;
  });
}

interface Found extends Conflict {
  readonly port: MappedPort;
}

/** What is mapped on the same addresses. */
function same(conn: Connection, mappings: readonly PortMapping[]): Found[] {
  return mappings.flatMap((mapping) => foundAt(conn, mapping, portOf(mapping)));
}

/** What is mapped on every address where a mapping is for one, or on one where it is for every address. */
function overlapping(conn: Connection, mappings: readonly PortMapping[]): Found[] {
  const bound = ([4, 6] as const).flatMap((family) =>
    mappings.some(({ hostIp, address }) => hostIp === undefined && address.family === family)
      ? listMap(conn, `bound${family}`, family)
      : [],
  );
  return mappings.flatMap((mapping) => {
    const { hostIp, ...port } = portOf(mapping);
    if (hostIp !== undefined) return foundAt(conn, mapping, port);
    const { family, protocol, hostPort } = port;
    return bound
      .filter(
        (other) =>
          other.port.family === family &&
          other.port.protocol === protocol &&
          other.port.hostPort === hostPort,
      )
      .map((other) => ({ mapping, ...other }));
  });
}

function foundAt(conn: Connection, mapping: PortMapping, port: MappedPort): Found[] {
  const there = find(conn, port);
  return there === undefined ? [] : [{ mapping, port, owner: ownerOf(there) }];
}

/** Maps the ports of containers that are there, if the ruleset has gone, which it tells. Throws {@link NetlinkError}. */
export function restorePortMappings(all: readonly Mapped[]): boolean {
  return restore(RULESET, () => restored(all));
}

function restored(all: readonly Mapped[]): Restored {
  return { shared: [], own: all.flatMap((mapped) => requests('add', mapped)) };
}

function requests(verb: 'add' | 'create', { hostName, label, mappings, nat }: Mapped): Request[] {
  const comment = `${hostName} ${label}`;
  return [
    ...mappings.map((mapping) => mapElement(verb, mapping, comment)),
    ...sourceKeys(hostName, nat).map((source) => sourceElement('add', hostName, source)),
  ];
}

/**
 * Ends what is mapped for a host end: of `ports`, or, where they are not known, whatever is its own. What another has
 * meanwhile stays. Returns the ports that were mapped. Throws {@link NetlinkError}.
 */
export function removePortMappings(
  hostName: string,
  ports: readonly MappedPort[] | undefined,
  later?: Later,
): MappedPort[] {
  return inquire<MappedPort[]>(
    [],
    (conn) => (nftGeneration(conn) === undefined ? [] : unmapOwn(conn, hostName, ports)),
    later,
  );
}

function unmapOwn(
  conn: Connection,
  hostName: string,
  ports: readonly MappedPort[] | undefined,
): MappedPort[] {
  let removed: MappedPort[] = [];
  commitNftUnchanged(conn, () => {
    const known = ports ?? listMapped(conn).flatMap(({ port, owner }) => (owner === hostName ? [port] : []));
    removed = known.filter((port) => ownerOf(find(conn, port)) === hostName);
    const sources = sourceKeys(hostName, { snat: true, masqAll: true })
      .filter(([set, key]) => findElement(conn, TABLE, set, key) !== undefined)
      .map((source) => sourceElement('delete', hostName, source));
    return [...removed.map((port) => unmap(port)), ...sources];
  });
  return removed;
}

/** A port that is mapped, where it leads, and the name of the host end that it is mapped for. */
export interface ListedPort {
  readonly port: MappedPort;
  readonly target: { readonly address: IpAddress; readonly port: number } | undefined;
  readonly owner: string | undefined;
}

/** Everything that is mapped on this host. Throws {@link NetlinkError}. */
export function listPortMappings(): ListedPort[] {
  return inquire<ListedPort[]>([], (conn) => (nftGeneration(conn) === undefined ? [] : listMapped(conn)));
}

/** Whether the rules are there, without which the mappings lead nowhere. Throws {@link NetlinkError}. */
export function hasPortMappingRules(): boolean {
  return inquire(false, (conn) => isWhole(conn, RULESET));
}

/** The host ends that ports are used by from 127.0.0.1 and from the container itself (`snat`). Throws {@link NetlinkError}. */
export function listSourceNat(): string[] {
  return inquire<string[]>([], (conn) =>
    elementsOf(conn, TABLE, 'snat').map(({ key }) => decodeInterfaceName(key)),
  );
}

/** Which of the mappings are not in force for the host end. Throws {@link NetlinkError}. */
export function missingPortMappings(hostName: string, mappings: readonly PortMapping[]): PortMapping[] {
  return inquire([...mappings], (conn) => {
    if (mappings.length === 0) return [];
    if (!isWhole(conn, RULESET)) return [...mappings];
    return mappings.filter((mapping) => {
      const there = find(conn, portOf(mapping));
      const wanted = mapData(mapping);
      return ownerOf(there) !== hostName || !sameBytes(there?.data, wanted);
    });
  });
}

/** What a mapping is found by. */
export function portOf(mapping: PortMapping): MappedPort {
  const { hostPort, protocol, hostIp, address } = mapping;
  return { hostPort, protocol, family: address.family, ...(hostIp === undefined ? {} : { hostIp }) };
}

function mapName(port: MappedPort): string {
  return `${port.hostIp === undefined ? 'any' : 'bound'}${port.family}`;
}

// Each field of a concatenation is padded to four bytes with zeros; others would be taken, and never match.
function be16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff, 0, 0);
}

function mapKey({ hostIp, protocol, hostPort }: MappedPort): Uint8Array {
  const key = [Uint8Array.of(protocol, 0, 0, 0), be16(hostPort)];
  return concat(hostIp === undefined ? key : [ipToBytes(hostIp), ...key]);
}

function mapData({ address, port }: PortMapping): Uint8Array {
  return concat([ipToBytes(address), be16(port)]);
}

function unmap(port: MappedPort): Request {
  return setElement('delete', TABLE, mapName(port), { key: mapKey(port) }, `port ${describePort(port)}`);
}

function mapElement(verb: 'add' | 'create', mapping: PortMapping, comment: string): Request {
  const port = portOf(mapping);
  const element = { key: mapKey(port), data: mapData(mapping), comment };
  return setElement(verb, TABLE, mapName(port), element, `map port ${describePort(port)}`);
}

const PROTOCOL_NAMES: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

/** The name of a protocol, or its number where it has none here. */
export function protocolName(protocol: number): string {
  return PROTOCOL_NAMES[protocol] ?? String(protocol);
}

/** A mapped port in words: `8080/tcp`, `8080/udp on 192.0.2.1`. */
export function describePort(port: Pick<MappedPort, 'hostPort' | 'protocol'>): string {
  return `${port.hostPort}/${protocolName(port.protocol)}`;
}

/** The sets that a host end belongs into, and its key in each. */
function sourceKeys(hostName: string, { snat, masqAll }: SourceNat): [set: string, key: Uint8Array][] {
  const name = interfaceName(hostName);
  const all: [set: string, key: Uint8Array][] = [];
  if (snat) all.push(['snat', name], ['self', concat([name, name])]);
  if (masqAll) all.push(['all', name]);
  return all;
}

function sourceElement(
  verb: ElementVerb,
  hostName: string,
  [set, key]: readonly [set: string, key: Uint8Array],
): Request {
  return setElement(verb, TABLE, set, { key }, `source addresses for ${hostName}`);
}

function find(conn: Connection, port: MappedPort): NftElement | undefined {
  return findElement(conn, TABLE, mapName(port), mapKey(port));
}

function ownerOf(element: NftElement | undefined): string | undefined {
  return element?.comment?.split(' ', 1)[0];
}

function listMapped(conn: Connection): ListedPort[] {
  return ([4, 6] as const).flatMap((family) =>
    [`any${family}`, `bound${family}`].flatMap((map) => listMap(conn, map, family)),
  );
}

function listMap(conn: Connection, map: string, family: 4 | 6): ListedPort[] {
  return elementsOf(conn, TABLE, map).map((element) => ({
    port: decodePort(element.key, family),
    target: decodeTarget(element.data),
    owner: ownerOf(element),
  }));
}

function decodePort(key: Uint8Array, family: 4 | 6): MappedPort {
  const addressLength = key.length - 8;
  const [protocol = 0] = key.subarray(addressLength);
  const [high = 0, low = 0] = key.subarray(addressLength + 4);
  const hostIp = ipFromBytes(key.subarray(0, addressLength));
  return {
    family,
    protocol,
    hostPort: (high << 8) | low,
    ...(hostIp === undefined ? {} : { hostIp }),
  };
}

function decodeTarget(data: Uint8Array | undefined): ListedPort['target'] {
  if (data === undefined) return undefined;
  // Behind the address, a port that is padded to four bytes.
  const address = ipFromBytes(data.subarray(0, -4));
  const [high = 0, low = 0] = data.subarray(-4);
  return address === undefined ? undefined : { address, port: (high << 8) | low };
}

function plan(): ReturnType<Ruleset['plan']> {
  const map = (family: 4 | 6, bound: boolean, id: number): Request => {
    const address: NftTypeName = family === 4 ? 'ipv4_addr' : 'ipv6_addr';
    return newSet({
      table: TABLE,
      name: `${bound ? 'bound' : 'any'}${family}`,
      key: [...(bound ? [address] : []), 'inet_proto', 'inet_service'],
      data: [address, 'inet_service'],
      id,
    });
  };
  const names = (name: string, count: 1 | 2, id: number): Request =>
    newSet({
      table: TABLE,
      name,
      key: count === 1 ? ['ifname'] : ['ifname', 'ifname'],
      id,
    });
  const isDnat = [
    connectionStatus(abi.NFT_REG_1),
    mask(abi.NFT_REG_1, u32.encode(IPS_DST_NAT)),
    compare(abi.NFT_REG_1, 'neq', u32.encode(0)),
  ];
  const toHostItself = [
    destinationType(abi.NFT_REG_1),
    compare(abi.NFT_REG_1, 'eq', u32.encode(RTN_LOCAL)),
    verdict('goto', REDIRECT),
  ];
  const inLoopback = (offset: number): NftExpression[] => [
    ...isFamily(abi.NFPROTO_IPV4),
    networkHeader(offset, 1, abi.NFT_REG_1),
    compare(abi.NFT_REG_1, 'eq', Uint8Array.of(127)),
  ];
  const loopback6 = new Uint8Array(16);
  loopback6[15] = 1;
  const redirect = (family: 4 | 6, bound: boolean): NftExpression[] => {
    const protocol = family === 4 ? abi.NFPROTO_IPV4 : abi.NFPROTO_IPV6;
    const name = `${bound ? 'bound' : 'any'}${family}`;
    const afterData = family === 4 ? abi.NFT_REG32_01 : abi.NFT_REG_2;
    const key = bound
      ? [
          networkHeader(family === 4 ? 16 : 24, family === 4 ? 4 : 16, abi.NFT_REG_1),
          metaLoad('l4proto', afterData),
          transportHeader(2, 2, family === 4 ? abi.NFT_REG32_02 : abi.NFT_REG32_05),
        ]
      : [metaLoad('l4proto', abi.NFT_REG_1), transportHeader(2, 2, abi.NFT_REG32_01)];
    return [
      ...isFamily(protocol),
      ...key,
      mapLookup(name, abi.NFT_REG_1, abi.NFT_REG_1),
      destinationNat(protocol, abi.NFT_REG_1, afterData),
    ];
  };
  return {
    sets: [
      map(4, false, 1),
      map(6, false, 2),
      map(4, true, 3),
      map(6, true, 4),
      names('snat', 1, 5),
      names('self', 2, 6),
      names('all', 1, 7),
    ],
    chains: [
      {
        name: REDIRECT,
        make: newChain(TABLE, REDIRECT),
        rules: [redirect(4, true), redirect(4, false), redirect(6, true), redirect(6, false)],
      },
      {
        name: 'prerouting',
        make: newBaseChain(TABLE, 'prerouting', 'nat', 'prerouting', DSTNAT_PRIORITY),
        rules: [toHostItself],
      },
      {
        name: 'output',
        make: newBaseChain(TABLE, 'output', 'nat', 'output', DSTNAT_PRIORITY),
        rules: [
          [
            ...isFamily(abi.NFPROTO_IPV6),
            networkHeader(24, 16, abi.NFT_REG_1),
            compare(abi.NFT_REG_1, 'eq', loopback6),
            verdict('return'),
          ],
          toHostItself,
        ],
      },
      {
        name: 'postrouting',
        make: newBaseChain(TABLE, 'postrouting', 'nat', 'postrouting', BEFORE_SRCNAT_PRIORITY),
        rules: [
          [...isDnat, metaLoad('oifname', abi.NFT_REG_1), inSet('all', abi.NFT_REG_1), masquerade()],
          [
            ...isDnat,
            metaLoad('iifname', abi.NFT_REG_1),
            metaLoad('oifname', abi.NFT_REG_2),
            inSet('self', abi.NFT_REG_1),
            masquerade(),
          ],
          [
            ...isDnat,
            ...inLoopback(12),
            metaLoad('oifname', abi.NFT_REG_1),
            inSet('snat', abi.NFT_REG_1),
            masquerade(),
          ],
        ],
      },
      {
        name: 'guard',
        make: newBaseChain(TABLE, 'guard', 'filter', 'prerouting', RAW_PRIORITY),
        rules: [
          [
            metaLoad('iif', abi.NFT_REG_1),
            compare(abi.NFT_REG_1, 'neq', u32.encode(LOOPBACK_INDEX)),
            ...inLoopback(16),
            verdict('drop'),
          ],
        ],
      },
    ],
  };
}
