import type { IpAddress, IpPrefix } from '../ip/address.ts';
import * as abi from '../netlink/abi/nf_tables.ts';
import type { Connection, Request } from '../netlink/conn.ts';
import { nftGeneration } from '../netlink/ops/nftables.ts';
import { compare, inSet, isFamily, mask, masquerade, metaLoad, networkHeader } from './expressions.ts';
import { elementsOf, findElement } from './look-up.ts';
import { decodeInterfaceName, interfaceName } from './names.ts';
import { newBaseChain, newSet, setElement } from './requests.ts';
import { addElements, isWhole, type Restored, type Ruleset, restore } from './ruleset.ts';
import { addPair, distinct, hasPair, newPairSets } from './subnet-pairs.ts';
import { inquire, type Later, tryCommit, withNftables } from './transaction.ts';

// The ruleset: one table for the host, in which a container is one element of a set. The rules look at the
// interface that a packet came in by, so that an element is found again by the attachment alone, whatever became of
// its addresses, and so that a second holder of an address changes nothing.
//
//   table inet plumb {
//     set masq { type ifname; }                                        # host ends whose containers are masqueraded
//     set local4 { type ipv4_addr . ipv4_addr; flags interval; }       # subnet . subnet: one element per network
//     set local6 { type ipv6_addr . ipv6_addr; flags interval; }
//     chain postrouting { type nat hook postrouting priority srcnat; policy accept;
//       ip daddr != 224.0.0.0/4 iifname @masq ip saddr . ip daddr != @local4 masquerade
//       ip6 daddr != ff00::/8 iifname @masq ip6 saddr . ip6 daddr != @local6 masquerade
//     }
//   }
const TABLE = 'plumb';
const CHAIN = 'postrouting';
const MASQ = 'masq';
const LOCAL = 'local';
const SRCNAT_PRIORITY = 100;

const RULESET: Ruleset = { table: TABLE, least: { [CHAIN]: 2 }, plan };

function plan(): ReturnType<Ruleset['plan']> {
  const fromPod = [metaLoad('iifname', abi.NFT_REG_1), inSet(MASQ, abi.NFT_REG_1)];
  const rules = [
    [
      ...isFamily(abi.NFPROTO_IPV4),
      networkHeader(16, 4, abi.NFT_REG_1),
      mask(abi.NFT_REG_1, Uint8Array.of(0xf0, 0, 0, 0)),
      compare(abi.NFT_REG_1, 'neq', Uint8Array.of(0xe0, 0, 0, 0)),
      ...fromPod,
      networkHeader(12, 4, abi.NFT_REG_1),
      networkHeader(16, 4, abi.NFT_REG32_01),
      inSet(`${LOCAL}4`, abi.NFT_REG_1, true),
      masquerade(),
    ],
    [
      ...isFamily(abi.NFPROTO_IPV6),
      networkHeader(24, 1, abi.NFT_REG_1),
      compare(abi.NFT_REG_1, 'neq', Uint8Array.of(0xff)),
      ...fromPod,
      networkHeader(8, 16, abi.NFT_REG_1),
      networkHeader(24, 16, abi.NFT_REG_2),
      inSet(`${LOCAL}6`, abi.NFT_REG_1, true),
      masquerade(),
    ],
  ];
  return {
    sets: [newSet({ table: TABLE, name: MASQ, key: ['ifname'], id: 1 }), ...newPairSets(TABLE, LOCAL, 2)],
    chains: [
      {
        name: CHAIN,
        make: newBaseChain(TABLE, CHAIN, 'nat', 'postrouting', SRCNAT_PRIORITY),
        rules,
      },
    ],
  };
}

function podElement(verb: 'add' | 'delete', hostName: string): Request {
  const key = interfaceName(hostName);
  return setElement(verb, TABLE, MASQ, { key }, `masquerade of ${hostName} (table inet ${TABLE})`);
}

/** A host end whose container is masqueraded, and the subnets of its addresses. */
export interface Masqueraded {
  readonly hostName: string;
  readonly subnets: readonly IpPrefix[];
}

/**
 * Masquerades what comes in by the host end `hostName` and does not stay within its own subnet. The ruleset is
 * installed if it is not there, with what `others` has; the usual case is one transaction of elements.
 * Throws {@link NetlinkError}.
 */
export function addMasquerade(
  hostName: string,
  subnets: readonly IpPrefix[],
  others: () => readonly Masqueraded[] = () => [],
): void {
  withNftables((conn) => {
    const local = subnets.map((subnet) => addPair(TABLE, LOCAL, subnet));
    addElements(conn, RULESET, local, [podElement('add', hostName)], () => restored(others()));
  });
}

/** Masquerades containers that are there, if the ruleset has gone. Throws {@link NetlinkError}. */
export function restoreMasquerades(all: readonly Masqueraded[]): void {
  restore(RULESET, () => restored(all));
}

function restored(all: readonly Masqueraded[]): Restored {
  return {
    shared: distinct(all.flatMap(({ subnets }) => subnets)).map((subnet) => addPair(TABLE, LOCAL, subnet)),
    own: all.map(({ hostName }) => podElement('add', hostName)),
  };
}

/**
 * Ends it; absence is success. To close the connection takes as long as the kernel needs to forget what was deleted,
 * 8 to 16 ms: a caller who has other things to do gets that as a step for `later`. Throws {@link NetlinkError}.
 */
export function removeMasquerade(hostName: string, later?: Later): void {
  inquire(
    undefined,
    (conn) => {
      // Asking first costs microseconds, a transaction that is aborted more than ten milliseconds.
      if (!has(conn, hostName)) return;
      tryCommit(conn, [podElement('delete', hostName)], 'ENOENT');
    },
    later,
  );
}

/** Whether {@link addMasquerade} is in force for a host end. The element alone masquerades nobody. */
export function hasMasquerade(hostName: string): boolean {
  return inquire(false, (conn) => has(conn, hostName) && isWhole(conn, RULESET));
}

function has(conn: Connection, hostName: string): boolean {
  return (
    nftGeneration(conn) !== undefined && findElement(conn, TABLE, MASQ, interfaceName(hostName)) !== undefined
  );
}

/** The host ends that are masqueraded. */
export function listMasquerades(): string[] {
  return inquire<string[]>([], (conn) =>
    elementsOf(conn, TABLE, MASQ).map(({ key }) => decodeInterfaceName(key)),
  );
}

/** Whether the rules are there, without which the elements masquerade nobody. Throws {@link NetlinkError}. */
export function hasMasqueradeRules(): boolean {
  return inquire(false, (conn) => isWhole(conn, RULESET));
}

/** Whether a packet of a container that leaves the host for a unicast address is masqueraded. Throws {@link NetlinkError}. */
export function isMasqueraded(hostName: string, source: IpAddress, destination: IpAddress): boolean {
  return (
    hasMasqueradeRules() &&
    hasMasquerade(hostName) &&
    inquire(true, (conn) => !hasPair(conn, TABLE, LOCAL, source, destination))
  );
}
