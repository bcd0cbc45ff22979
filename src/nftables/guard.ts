import { type IpAddress, type IpPrefix, ipToBytes } from '../ip/address.ts';
import * as abi from '../netlink/abi/nf_tables.ts';
import type { Request } from '../netlink/conn.ts';
import {
  newBaseChain,
  newChain,
  newSet,
  type SetElement,
  type SetSpec,
  setElement,
} from '../netlink/message/nft.ts';
import {
  compare,
  type Expression,
  inSet,
  isFamily,
  linkHeader,
  mask,
  metaLoad,
  networkHeader,
  verdict,
} from '../netlink/message/nft-expression.ts';
import { concat } from '../netlink/wire/buffer.ts';
import { mac as macCodec } from '../netlink/wire/value.ts';
import { elementsOf, findElement } from './look-up.ts';
import {
  concatenated,
  decodeInterfaceName,
  IFNAMSIZ,
  interfaceName,
  TYPE_ETHERADDR,
  TYPE_IFNAME,
  TYPE_IP6ADDR,
  TYPE_IPADDR,
} from './names.ts';
import { addElements, type ChainPlan, isWhole, type Restored, type Ruleset, restore } from './ruleset.ts';
import { addPair, distinct, findPair, newPairSets } from './subnet-pairs.ts';
import {
  commitUnchanged,
  generationOf,
  inquire,
  type Later,
  tryCommit,
  withNftables,
} from './transaction.ts';

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
  const elements = requests('NEW', hostName, guard);
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
    own: all.flatMap(({ hostName, guard }) => requests('NEW', hostName, guard)),
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
      if (generationOf(conn) === undefined) return;
      const elements = known === undefined ? [] : requests('DEL', hostName, known);
      if (elements.length > 0 && tryCommit(conn, elements, 'ENOENT') === undefined) return;
      commitUnchanged(conn, () =>
        sets().flatMap(({ name }) =>
          elementsOf(conn, TABLE, name)
            .filter(({ key }) => ownerOf(key) === hostName)
            .map((element) => request('DEL', name, element, hostName)),
        ),
      );
    },
    later,
  );
}

/** The host ends that there is a guard for. Throws {@link NetlinkError}. */
export function listGuarded(): string[] {
  return inquire<string[]>([], (conn) => {
    if (generationOf(conn) === undefined) return [];
    const names = sets().flatMap(({ name }) => elementsOf(conn, TABLE, name).map(({ key }) => ownerOf(key)));
    return [...new Set(names)];
  });
}

/** Whether a guard is in force as a whole. Throws {@link NetlinkError}. */
export function hasGuard(hostName: string, guard: Guard): boolean {
  const pairs = subnetsOf(guard).map(({ address }) => findPair(TABLE, NETS, address));
  const wanted = [...requests('GET', hostName, guard), ...pairs];
  if (wanted.length === 0) return true;
  return inquire(
    false,
    (conn) => isWhole(conn, RULESET) && wanted.every((one) => findElement(conn, one) !== undefined),
  );
}

function ownerOf(key: Uint8Array): string {
  return decodeInterfaceName(key.subarray(0, IFNAMSIZ));
}

function request(verb: 'NEW' | 'DEL' | 'GET', set: string, element: SetElement, hostName: string): Request {
  return setElement(verb, TABLE, set, element, `guard of ${hostName} (table inet ${TABLE}, set ${set})`);
}

function requests(verb: 'NEW' | 'DEL' | 'GET', hostName: string, { source, apart }: Guard): Request[] {
  const name = interfaceName(hostName);
  const all: [set: string, element: SetElement][] = [];
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
  return all.map(([set, element]) => request(verb, set, element, hostName));
}

/** The sets that name host ends, which are the first field of their keys. */
function sets(): readonly Omit<SetSpec, 'table' | 'id'>[] {
  return [
    { name: 'guarded', keyType: TYPE_IFNAME, keyLength: IFNAMSIZ, hostOrder: true },
    { name: 'mac', keyType: concatenated(TYPE_IFNAME, TYPE_ETHERADDR), keyLength: IFNAMSIZ + 8 },
    { name: 'ip4', keyType: concatenated(TYPE_IFNAME, TYPE_IPADDR), keyLength: IFNAMSIZ + 4 },
    { name: 'ip6', keyType: concatenated(TYPE_IFNAME, TYPE_IP6ADDR), keyLength: IFNAMSIZ + 16 },
    { name: 'apart', keyType: TYPE_IFNAME, keyLength: IFNAMSIZ, hostOrder: true },
    { name: 'isolated', keyType: TYPE_IFNAME, keyLength: IFNAMSIZ, hostOrder: true },
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
  const from6 = (bits: number, address: Uint8Array): Expression[] => {
    const masked = Uint8Array.from(
      address,
      (_, i) => (0xff00 >> Math.min(8, Math.max(0, bits - 8 * i))) & 0xff,
    );
    return [
      ...isFamily(abi.NFPROTO_IPV6),
      networkHeader(8, 16, abi.NFT_REG_1),
      mask(abi.NFT_REG_1, masked),
      compare(abi.NFT_REG_1, abi.NFT_CMP_EQ, address),
      verdict(abi.NFT_RETURN),
    ];
  };
  const linkLocal = new Uint8Array(16);
  linkLocal.set([0xfe, 0x80]);
  return {
    name: SOURCE,
    make: newChain(TABLE, SOURCE),
    rules: [
      [
        metaLoad(abi.NFT_META_IIFTYPE, abi.NFT_REG_1),
        compare(abi.NFT_REG_1, abi.NFT_CMP_EQ, Uint8Array.of(ARPHRD_ETHER, 0)),
        metaLoad(abi.NFT_META_IIFNAME, abi.NFT_REG_1),
        linkHeader(6, 6, abi.NFT_REG_2),
        inSet('mac', abi.NFT_REG_1, true),
        verdict(abi.NF_DROP),
      ],
      [
        ...isFamily(abi.NFPROTO_IPV4),
        metaLoad(abi.NFT_META_IIFNAME, abi.NFT_REG_1),
        networkHeader(12, 4, abi.NFT_REG_2),
        inSet('ip4', abi.NFT_REG_1),
        verdict(abi.NFT_RETURN),
      ],
      [
        ...isFamily(abi.NFPROTO_IPV6),
        metaLoad(abi.NFT_META_IIFNAME, abi.NFT_REG_1),
        networkHeader(8, 16, abi.NFT_REG_2),
        inSet('ip6', abi.NFT_REG_1),
        verdict(abi.NFT_RETURN),
      ],
      from6(10, linkLocal),
      from6(128, new Uint8Array(16)),
      [verdict(abi.NF_DROP)],
    ],
  };
}

function amongChain(): ChainPlan {
  return {
    name: AMONG,
    make: newChain(TABLE, AMONG),
    rules: [
      [...inside('isolated', abi.NFT_META_OIFNAME), verdict(abi.NF_DROP)],
      [
        ...isFamily(abi.NFPROTO_IPV4),
        networkHeader(12, 4, abi.NFT_REG_1),
        networkHeader(16, 4, abi.NFT_REG32_01),
        inSet(`${NETS}4`, abi.NFT_REG_1),
        verdict(abi.NFT_RETURN),
      ],
      [
        ...isFamily(abi.NFPROTO_IPV6),
        networkHeader(8, 16, abi.NFT_REG_1),
        networkHeader(24, 16, abi.NFT_REG_2),
        inSet(`${NETS}6`, abi.NFT_REG_1),
        verdict(abi.NFT_RETURN),
      ],
      [verdict(abi.NF_DROP)],
    ],
  };
}

function baseChains(): ChainPlan[] {
  return [
    {
      name: 'prerouting',
      make: newBaseChain(TABLE, 'prerouting', 'filter', abi.NF_INET_PRE_ROUTING, AFTER_RAW_PRIORITY),
      rules: [[...inside('guarded', abi.NFT_META_IIFNAME), verdict(abi.NFT_GOTO, SOURCE)]],
    },
    {
      name: 'forward',
      make: newBaseChain(TABLE, 'forward', 'filter', abi.NF_INET_FORWARD, BEFORE_FILTER_PRIORITY),
      rules: [
        [
          ...inside('apart', abi.NFT_META_IIFNAME),
          ...inside('apart', abi.NFT_META_OIFNAME),
          verdict(abi.NFT_GOTO, AMONG),
        ],
      ],
    },
  ];
}

function inside(set: string, key: number): Expression[] {
  return [metaLoad(key, abi.NFT_REG_1), inSet(set, abi.NFT_REG_1)];
}
