import { type IpAddress, type IpPrefix, ipToBytes } from '../ip/address.ts';
import * as abi from '../netlink/abi/nf_tables.ts';
import type { Request } from '../netlink/conn.ts';
import type { NftExpression, NftMetaKey } from '../netlink/message/nft-expression.ts';
import type { NftElement } from '../netlink/message/nft-set.ts';
import type { NftTypeName } from '../netlink/message/nft-type.ts';
import { commitNftUnchanged, nftGeneration } from '../netlink/ops/nftables.ts';
import { concat } from '../netlink/wire/buffer.ts';
import { mac as macCodec } from '../netlink/wire/value.ts';
import {
  compare,
  inSet,
  isFamily,
  linkHeader,
  mask,
  metaLoad,
  networkHeader,
  verdict,
} from './expressions.ts';
import { elementsOf, findElement } from './look-up.ts';
import { decodeInterfaceName, IFNAMSIZ, interfaceName } from './names.ts';
import { newBaseChain, newChain, newSet, setElement } from './requests.ts';
import { addElements, type ChainPlan, isWhole, type Restored, type Ruleset, restore } from './ruleset.ts';
import { addPair, distinct, hasPair, newPairSets } from './subnet-pairs.ts';
import { inquire, type Later, tryCommit, withNftables } from './transaction.ts';

// What a container may send, and what may be sent to it by others. The table is there once a container asks for it.
//
//   table inet plumb-guard {
//     set guarded { type ifname; }                    # host ends whose containers may send from their own addresses only:
//     set mac { type ifname . ether_addr; }
//     set ip4 { type ifname . ipv4_addr; }
//     set ip6 { type ifname . ipv6_addr; }
//     chain prerouting { type filter hook prerouting priority raw + 10; iifname @guarded goto source }
//     chain source {
//       iifname . ether saddr != @mac drop
//       iifname . ip saddr @ip4 return
//       iifname . ip6 saddr @ip6 return
//       ip6 saddr fe80::/10 return
//       ip6 saddr :: return                           # duplicate address detection
//       drop
//     }
//     set apart { type ifname; }                      # host ends of networks that keep to themselves
//     set isolated { type ifname; }                   # ... and whose containers keep to themselves, too
//     set nets4 { type ipv4_addr . ipv4_addr; flags interval; }    # subnet . subnet: one element per network
//     set nets6 { type ipv6_addr . ipv6_addr; flags interval; }
//     chain forward { type filter hook forward priority filter - 1; iifname @apart oifname @apart goto among }
//     chain among {
//       oifname @isolated drop
//       ip saddr . ip daddr @nets4 return
//       ip6 saddr . ip6 daddr @nets6 return
//       drop
//     }
//   }
/** The table's name, and the prefix of its sets of pairs (subnet-pairs.ts). */
export const TABLE = 'plumb-guard';
const SOURCE = 'source';
const AFTER_RAW_PRIORITY = -290;
const BEFORE_FILTER_PRIORITY = -1;
const ARPHRD_ETHER = 1;
const AMONG = 'among';
/** The sets of pairs of subnets whose containers may talk: this and the family. */
export const NETS = 'nets';
const RULESET: Ruleset = {
  table: TABLE,
  least: { prerouting: 1, source: 6, forward: 1, among: 4 },
  plan,
};

/** What an attachment's traffic is held to. */
export interface Guard {
  /** The addresses that the container may send from, and its MAC; absent where it may send from any. */
  readonly source?: { readonly mac: string; readonly addresses: readonly IpAddress[] };
  /**
   * The subnets that the container may be reached from by other containers that are held apart; absent where all may
   * reach it. `isolated`: not even those may.
   */
  readonly apart?: { readonly subnets: readonly IpPrefix[]; readonly isolated: boolean };
}

/** A host end and its guard. */
export interface Guarded {
  readonly hostName: string;
  readonly guard: Guard;
}

/**
 * Puts a guard in force for the host end `hostName`. The ruleset is installed if it is not there, with what `others` has.
 * Throws {@link NetlinkError}.
 */
export function addGuard(hostName: string, guard: Guard, others: () => readonly Guarded[] = () => []): void {
  const elements = requests('add', hostName, guard);
  if (elements.length === 0) return;
  const pairs = subnetsOf(guard).map((subnet) => addPair(TABLE, NETS, subnet));
  withNftables((conn) => addElements(conn, RULESET, pairs, elements, () => restored(others())));
}

/** Guards containers that are there, if the ruleset has gone. Throws {@link NetlinkError}. */
export function restoreGuards(all: readonly Guarded[]): void {
  restore(RULESET, () => restored(all));
}

function restored(all: readonly Guarded[]): Restored {
  const subnets = distinct(all.flatMap(({ guard }) => subnetsOf(guard)));
  return {
    shared: subnets.map((subnet) => addPair(TABLE, NETS, subnet)),
    own: all.flatMap(({ hostName, guard }) => requests('add', hostName, guard)),
  };
}

function subnetsOf({ apart }: Guard): readonly IpPrefix[] {
  return apart?.subnets ?? [];
}

/**
 * Ends the guard of a host end: the `known` one, or, where that is not known or not whole, whatever there is; absence is
 * success. Throws {@link NetlinkError}.
 */
export function removeGuard(hostName: string, known: Guard | undefined, later?: Later): void {
  inquire(
    undefined,
    (conn) => {
      if (nftGeneration(conn) === undefined) return;
      const elements = known === undefined ? [] : requests('delete', hostName, known);
      if (elements.length > 0 && tryCommit(conn, elements, 'ENOENT') === undefined) return;
      commitNftUnchanged(conn, () =>
        sets().flatMap(({ name }) =>
          elementsOf(conn, TABLE, name)
            .filter(({ key }) => ownerOf(key) === hostName)
            .map((element) => request('delete', name, element, hostName)),
        ),
      );
    },
    later,
  );
}

/** The host ends that there is a guard for. Throws {@link NetlinkError}. */
export function listGuarded(): string[] {
  return inquire<string[]>([], (conn) => {
    if (nftGeneration(conn) === undefined) return [];
    const names = sets().flatMap(({ name }) => elementsOf(conn, TABLE, name).map(({ key }) => ownerOf(key)));
    return [...new Set(names)];
  });
}

/** Whether a guard is in force as a whole. Throws {@link NetlinkError}. */
export function hasGuard(hostName: string, guard: Guard): boolean {
  const wanted = elementsFor(hostName, guard);
  if (wanted.length === 0) return true;
  return inquire(
    false,
    (conn) =>
      isWhole(conn, RULESET) &&
      wanted.every(([set, { key }]) => findElement(conn, TABLE, set, key) !== undefined) &&
      subnetsOf(guard).every(({ address }) => hasPair(conn, TABLE, NETS, address)),
  );
}

function ownerOf(key: Uint8Array): string {
  return decodeInterfaceName(key.subarray(0, IFNAMSIZ));
}

function request(verb: 'add' | 'delete', set: string, element: NftElement, hostName: string): Request {
  return setElement(verb, TABLE, set, element, `guard of ${hostName} (table inet ${TABLE}, set ${set})`);
}

function requests(verb: 'add' | 'delete', hostName: string, guard: Guard): Request[] {
  return elementsFor(hostName, guard).map(([set, element]) => request(verb, set, element, hostName));
}

function elementsFor(hostName: string, { source, apart }: Guard): [set: string, element: NftElement][] {
  const name = interfaceName(hostName);
  const all: [set: string, element: NftElement][] = [];
  if (source !== undefined) {
    all.push(['guarded', { key: name }]);
    all.push(['mac', { key: concat([name, macCodec.encode(source.mac), new Uint8Array(2)]) }]);
    for (const address of source.addresses) {
      all.push([`ip${address.family}`, { key: concat([name, ipToBytes(address)]) }]);
    }
  }
  if (apart !== undefined) {
    all.push(['apart', { key: name }]);
    if (apart.isolated) all.push(['isolated', { key: name }]);
  }
  return all;
}

/** The sets that name host ends, which are the first field of their keys. */
function sets(): readonly { readonly name: string; readonly key: readonly NftTypeName[] }[] {
  return [
    { name: 'guarded', key: ['ifname'] },
    { name: 'mac', key: ['ifname', 'ether_addr'] },
    { name: 'ip4', key: ['ifname', 'ipv4_addr'] },
    { name: 'ip6', key: ['ifname', 'ipv6_addr'] },
    { name: 'apart', key: ['ifname'] },
    { name: 'isolated', key: ['ifname'] },
  ];
}

function plan(): ReturnType<Ruleset['plan']> {
  return {
    sets: [
      ...sets().map((spec, i) => newSet({ table: TABLE, id: i + 1, ...spec })),
      ...newPairSets(TABLE, NETS, sets().length + 1),
    ],
    chains: [sourceChain(), amongChain(), ...baseChains()],
  };
}

function sourceChain(): ChainPlan {
  const from6 = (bits: number, address: Uint8Array): NftExpression[] => {
    const masked = Uint8Array.from(
      address,
      (_, i) => (0xff00 >> Math.min(8, Math.max(0, bits - 8 * i))) & 0xff,
    );
    return [
      ...isFamily(abi.NFPROTO_IPV6),
      networkHeader(8, 16, abi.NFT_REG_1),
      mask(abi.NFT_REG_1, masked),
      compare(abi.NFT_REG_1, 'eq', address),
      verdict('return'),
    ];
  };
  const linkLocal = new Uint8Array(16);
  linkLocal.set([0xfe, 0x80]);
  return {
    name: SOURCE,
    make: newChain(TABLE, SOURCE),
    rules: [
      [
        metaLoad('iiftype', abi.NFT_REG_1),
        compare(abi.NFT_REG_1, 'eq', Uint8Array.of(ARPHRD_ETHER, 0)),
        metaLoad('iifname', abi.NFT_REG_1),
        linkHeader(6, 6, abi.NFT_REG_2),
        inSet('mac', abi.NFT_REG_1, true),
        verdict('drop'),
      ],
      [
        ...isFamily(abi.NFPROTO_IPV4),
        metaLoad('iifname', abi.NFT_REG_1),
        networkHeader(12, 4, abi.NFT_REG_2),
        inSet('ip4', abi.NFT_REG_1),
        verdict('return'),
      ],
      [
        ...isFamily(abi.NFPROTO_IPV6),
        metaLoad('iifname', abi.NFT_REG_1),
        networkHeader(8, 16, abi.NFT_REG_2),
        inSet('ip6', abi.NFT_REG_1),
        verdict('return'),
      ],
      from6(10, linkLocal),
      from6(128, new Uint8Array(16)),
      [verdict('drop')],
    ],
  };
}

function amongChain(): ChainPlan {
  return {
    name: AMONG,
    make: newChain(TABLE, AMONG),
    rules: [
      [...inside('isolated', 'oifname'), verdict('drop')],
      [
        ...isFamily(abi.NFPROTO_IPV4),
        networkHeader(12, 4, abi.NFT_REG_1),
        networkHeader(16, 4, abi.NFT_REG32_01),
        inSet(`${NETS}4`, abi.NFT_REG_1),
        verdict('return'),
      ],
      [
        ...isFamily(abi.NFPROTO_IPV6),
        networkHeader(8, 16, abi.NFT_REG_1),
        networkHeader(24, 16, abi.NFT_REG_2),
        inSet(`${NETS}6`, abi.NFT_REG_1),
        verdict('return'),
      ],
      [verdict('drop')],
    ],
  };
}

function baseChains(): ChainPlan[] {
  return [
    {
      name: 'prerouting',
      make: newBaseChain(TABLE, 'prerouting', 'filter', 'prerouting', AFTER_RAW_PRIORITY),
      rules: [[...inside('guarded', 'iifname'), verdict('goto', SOURCE)]],
    },
    {
      name: 'forward',
      make: newBaseChain(TABLE, 'forward', 'filter', 'forward', BEFORE_FILTER_PRIORITY),
      rules: [[...inside('apart', 'iifname'), ...inside('apart', 'oifname'), verdict('goto', AMONG)]],
    },
  ];
}

function inside(set: string, key: NftMetaKey): NftExpression[] {
  return [metaLoad(key, abi.NFT_REG_1), inSet(set, abi.NFT_REG_1)];
}
