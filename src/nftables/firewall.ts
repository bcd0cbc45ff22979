import * as abi from '../netlink/abi/nf_tables.ts';
import type { Connection, Request } from '../netlink/conn.ts';
import { decodeSetName, listSets, newBaseChain, newSet, setElement } from '../netlink/message/nft.ts';
import {
  compare,
  connectionState,
  connectionStatus,
  counter,
  type Expression,
  inSet,
  mask,
  metaLoad,
  metaSet,
  readMarkRule,
  setBits,
  verdict,
} from '../netlink/message/nft-expression.ts';
import {
  addChain,
  type ChainName,
  decodeExpressions,
  getChain,
  insertRule,
  listRulesOf,
} from '../netlink/message/nft-foreign.ts';
import { u32 } from '../netlink/wire/value.ts';
import { elementsOf, findElement, orIfAbsent } from './look-up.ts';
import { decodeInterfaceName, IFNAMSIZ, interfaceName, TYPE_IFNAME } from './names.ts';
import { addElements, isWhole, type Restored, type Ruleset, restore } from './ruleset.ts';
import {
  commitUnchanged,
  generationOf,
  inquire,
  type Later,
  tryCommit,
  withNftables,
} from './transaction.ts';

// What another table drops is dropped, whatever ours accepts. So ours marks what may be forwarded, by one bit, and a single
// rule in the other table accepts the mark. A set and a chain for each bit that a network asks for, here for bit 16:
//
//   table inet plumb-firewall {
//     set hosts16 { type ifname; }                                     # host ends whose traffic is accepted
//     chain forward16 { type filter hook forward priority filter - 10;
//       iifname @hosts16 meta mark set meta mark | 0x10000             # what containers send
//       ct state established,related oifname @hosts16 meta mark set meta mark | 0x10000    # what is answered
//       ct status dnat oifname @hosts16 meta mark set meta mark | 0x10000                  # what comes by their ports
//     }
//   }
//
// And in `ip filter FORWARD`, `ip6 filter FORWARD`, which are iptables', and in the chains that the administrator names:
//
//     meta mark & 0x10000 == 0x10000 counter accept comment "plumb"
//
// That is how iptables itself writes `-m mark --mark 0x10000/0x10000 -j ACCEPT`: it shows, saves and restores it. A look-up
// in a set it would show, and restore, as a bare `-j ACCEPT`.
const TABLE = 'plumb-firewall';
const HOSTS = 'hosts';
const BEFORE_FILTER_PRIORITY = -10;
const IPS_DST_NAT = 0x20; // <linux/netfilter/nf_conntrack_common.h>
const ESTABLISHED_RELATED = 0x6; // NF_CT_STATE_BIT of IP_CT_ESTABLISHED and of IP_CT_RELATED, ibid.
const COMMENT = 'plumb';

/** How forwarding is accepted. */
export interface Acceptance {
  /** The bit of the packets' mark, 0 to 31. */
  readonly bit: number;
  /** The chain of iptables that is asked before anything is accepted. */
  readonly adminChain?: string;
  /** Chains that accept the mark, beside those of iptables. */
  readonly chains: readonly ChainName[];
}

/** A host end whose traffic is accepted. */
export interface Accepted {
  readonly hostName: string;
  readonly bit: number;
}

type Family = 4 | 6;

/** The chain by which iptables, or ip6tables, forwards. */
function iptablesForward(family: Family): ChainName {
  return {
    family: family === 4 ? abi.NFPROTO_IPV4 : abi.NFPROTO_IPV6,
    table: 'filter',
    name: 'FORWARD',
  };
}

/** Whether packets of an IP family pass the chains of a family of nf_tables (NFPROTO_*). */
export function passes(family: Family, protocol: number): boolean {
  return protocol === abi.NFPROTO_INET || protocol === iptablesForward(family).family;
}

function targetsOf({ chains }: Acceptance, families: readonly Family[]): ChainName[] {
  const named = chains.filter(({ family }) => families.some((one) => passes(one, family)));
  return [...families.map(iptablesForward), ...named];
}

/**
 * Has forwarding accepted for the host end `hostName`: what its container sends, what answers that, and what comes by its
 * port mappings. Chains that do not exist accept nothing, and drop nothing.
 * Throws {@link NetlinkError}.
 */
export function addAcceptance(
  hostName: string,
  acceptance: Acceptance,
  families: readonly Family[],
  others: () => readonly Accepted[] = () => [],
): void {
  const { bit } = acceptance;
  withNftables((conn) => {
    const own = [element('NEW', hostName, bit)];
    addElements(conn, ruleset(bit), [], own, () => restored(others(), bit));
    for (const target of targetsOf(acceptance, families)) {
      commitUnchanged(conn, () => lacking(conn, target, acceptance));
    }
  });
}

/** Has forwarding accepted for containers that are there, if the ruleset has gone. Throws {@link NetlinkError}. */
export function restoreAcceptances(all: readonly Accepted[]): void {
  for (const bit of new Set(all.map((one) => one.bit))) restore(ruleset(bit), () => restored(all, bit));
}

function restored(all: readonly Accepted[], bit: number): Restored {
  const own = all.filter((one) => one.bit === bit).map(({ hostName }) => element('NEW', hostName, bit));
  return { shared: [], own };
}

/**
 * Ends it for a host end: of the known bit, or, where that is not known, of any; absence is success. What accepts the mark
 * stays for others. Throws {@link NetlinkError}.
 */
export function removeAcceptance(hostName: string, known: number | undefined, later?: Later): void {
  inquire(
    undefined,
    (conn) => {
      if (generationOf(conn) === undefined) return;
      for (const bit of known === undefined ? bitsInUse(conn) : [known]) {
        if (findElement(conn, element('GET', hostName, bit)) !== undefined)
          tryCommit(conn, [element('DEL', hostName, bit)], 'ENOENT');
      }
    },
    later,
  );
}

/** The host ends whose traffic is accepted. Throws {@link NetlinkError}. */
export function listAccepted(): string[] {
  return inquire<string[]>([], (conn) =>
    bitsInUse(conn).flatMap((bit) =>
      elementsOf(conn, TABLE, setName(bit)).map(({ key }) => decodeInterfaceName(key)),
    ),
  );
}

/** Whether the host end's traffic is marked. Throws {@link NetlinkError}. */
export function isMarked(hostName: string, bit: number): boolean {
  return inquire(
    false,
    (conn) => isWhole(conn, ruleset(bit)) && findElement(conn, element('GET', hostName, bit)) !== undefined,
  );
}

/** The chains that should accept the mark, and do not: those of iptables, if they are there, and those that are named. Throws {@link NetlinkError}. */
export function chainsThatLack(acceptance: Acceptance, families: readonly Family[]): ChainName[] {
  return inquire<ChainName[]>([], (conn) =>
    targetsOf(acceptance, families).filter((target) => lacking(conn, target, acceptance).length > 0),
  );
}

/** A mark with one bit in words: `0x10000`. */
export function describeMark(bit: number): string {
  return `0x${(2 ** bit).toString(16)}`;
}

function bitsInUse(conn: Connection): number[] {
  const names = orIfAbsent([], () => conn.dump(listSets(TABLE))).flatMap(
    (answer) => decodeSetName(answer) ?? [],
  );
  return names.filter((name) => name.startsWith(HOSTS)).map((name) => Number(name.slice(HOSTS.length)));
}

function setName(bit: number): string {
  return `${HOSTS}${bit}`;
}

function element(verb: 'NEW' | 'DEL' | 'GET', hostName: string, bit: number): Request {
  const what = `accept forwarding for ${hostName} (table inet ${TABLE}, set ${setName(bit)})`;
  return setElement(verb, TABLE, setName(bit), { key: interfaceName(hostName) }, what);
}

/** What to add to a chain so that it accepts the mark; nothing where there is no such chain. */
function lacking(conn: Connection, target: ChainName, { bit, adminChain }: Acceptance): Request[] {
  const chain = orIfAbsent(undefined, () => conn.request(getChain(target))[0]);
  if (chain === undefined) return [];
  const bits = markOf(bit);
  const rules = conn
    .dump(listRulesOf(target))
    .flatMap((answer) => readMarkRule(decodeExpressions(answer)) ?? [])
    .filter((rule) => sameBytes(rule.mask, bits) && sameBytes(rule.value, bits));
  const accepts = rules.some(({ verdict: code }) => code === abi.NF_ACCEPT);
  const requests = accepts ? [] : [insertRule(target, markRule(bit, verdict(abi.NF_ACCEPT)), COMMENT)];
  const isIptables = target.table === 'filter' && target.name === 'FORWARD';
  if (adminChain === undefined || !isIptables) return requests;
  const asks = rules.some(({ verdict: code, chain: to }) => code === abi.NFT_JUMP && to === adminChain);
  if (accepts && asks) return [];
  const jump = markRule(bit, verdict(abi.NFT_JUMP, adminChain));
  // Last, as each rule comes before those that are there.
  return [...requests, addChain({ ...target, name: adminChain }), insertRule(target, jump, COMMENT)];
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function markOf(bit: number): Uint8Array {
  return u32.encode(2 ** bit);
}

function markRule(bit: number, end: Expression): Expression[] {
  const bits = markOf(bit);
  return [
    metaLoad(abi.NFT_META_MARK, abi.NFT_REG_1),
    mask(abi.NFT_REG_1, bits),
    compare(abi.NFT_REG_1, abi.NFT_CMP_EQ, bits),
    counter(),
    end,
  ];
}

function ruleset(bit: number): Ruleset {
  return { table: TABLE, least: { [`forward${bit}`]: 3 }, plan: () => plan(bit) };
}

function plan(bit: number): ReturnType<Ruleset['plan']> {
  const hosts = setName(bit);
  const name = `forward${bit}`;
  const isSet = (load: Expression, bits: number): Expression[] => [
    load,
    mask(abi.NFT_REG_1, u32.encode(bits)),
    compare(abi.NFT_REG_1, abi.NFT_CMP_NEQ, u32.encode(0)),
  ];
  const mark = [
    metaLoad(abi.NFT_META_MARK, abi.NFT_REG_1),
    setBits(abi.NFT_REG_1, markOf(bit)),
    metaSet(abi.NFT_META_MARK, abi.NFT_REG_1),
  ];
  const to = [metaLoad(abi.NFT_META_OIFNAME, abi.NFT_REG_1), inSet(hosts, abi.NFT_REG_1)];
  return {
    sets: [
      newSet({
        table: TABLE,
        name: hosts,
        keyType: TYPE_IFNAME,
        keyLength: IFNAMSIZ,
        hostOrder: true,
        id: 1,
      }),
    ],
    chains: [
      {
        name,
        make: newBaseChain(TABLE, name, 'filter', abi.NF_INET_FORWARD, BEFORE_FILTER_PRIORITY),
        rules: [
          [metaLoad(abi.NFT_META_IIFNAME, abi.NFT_REG_1), inSet(hosts, abi.NFT_REG_1), ...mark],
          [...isSet(connectionState(abi.NFT_REG_1), ESTABLISHED_RELATED), ...to, ...mark],
          [...isSet(connectionStatus(abi.NFT_REG_1), IPS_DST_NAT), ...to, ...mark],
        ],
      },
    ],
  };
}
