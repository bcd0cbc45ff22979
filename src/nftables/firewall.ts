import * as abi from '../netlink/abi/nf_tables.ts';
import type { Connection, Request } from '../netlink/conn.ts';
import { type NftChainRef, nftChainRequest, nftRuleRequest } from '../netlink/message/nft.ts';
import type { NftVerdict } from '../netlink/message/nft-data.ts';
import type { NftExpression } from '../netlink/message/nft-expression.ts';
import type { NftFamily } from '../netlink/message/nft-names.ts';
import {
  commitNftUnchanged,
  findNftChain,
  listNftRules,
  listNftSets,
  nftGeneration,
} from '../netlink/ops/nftables.ts';
import { u32 } from '../netlink/wire/value.ts';
import {
  compare,
  connectionState,
  connectionStatus,
  inSet,
  mask,
  metaLoad,
  metaSet,
  setBits,
} from './expressions.ts';
import { elementsOf, findElement } from './look-up.ts';
import { markOf, markRule, readMarkRule } from './mark-rule.ts';
import { decodeInterfaceName, interfaceName } from './names.ts';
import { FAMILY, newBaseChain, newSet, setElement } from './requests.ts';
import { addElements, isWhole, type Restored, type Ruleset, restore } from './ruleset.ts';
import { inquire, type Later, tryCommit, withNftables } from './transaction.ts';

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
  readonly chains: readonly NftChainRef[];
}

/** A host end whose traffic is accepted. */
export interface Accepted {
  readonly hostName: string;
  readonly bit: number;
}

type Family = 4 | 6;

/** The chain by which iptables, or ip6tables, forwards. */
function iptablesForward(family: Family): NftChainRef {
  return { family: family === 4 ? 'ip' : 'ip6', table: 'filter', name: 'FORWARD' };
}

/** Whether packets of an IP family pass the chains of a family of nf_tables. */
export function passes(family: Family, chains: NftFamily): boolean {
  return chains === 'inet' || chains === iptablesForward(family).family;
}

function targetsOf({ chains }: Acceptance, families: readonly Family[]): NftChainRef[] {
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
    const own = [element('add', hostName, bit)];
    addElements(conn, ruleset(bit), [], own, () => restored(others(), bit));
    for (const target of targetsOf(acceptance, families)) {
      commitNftUnchanged(conn, () => lacking(conn, target, acceptance));
    }
  });
}

/** Has forwarding accepted for containers that are there, if the ruleset has gone. Throws {@link NetlinkError}. */
export function restoreAcceptances(all: readonly Accepted[]): void {
  for (const bit of new Set(all.map((one) => one.bit))) restore(ruleset(bit), () => restored(all, bit));
}

function restored(all: readonly Accepted[], bit: number): Restored {
  const own = all.filter((one) => one.bit === bit).map(({ hostName }) => element('add', hostName, bit));
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
      if (nftGeneration(conn) === undefined) return;
      for (const bit of known === undefined ? bitsInUse(conn) : [known]) {
        if (hasElement(conn, hostName, bit)) tryCommit(conn, [element('delete', hostName, bit)], 'ENOENT');
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
  return inquire(false, (conn) => isWhole(conn, ruleset(bit)) && hasElement(conn, hostName, bit));
}

/** The chains that should accept the mark, and do not: those of iptables, if they are there, and those that are named. Throws {@link NetlinkError}. */
export function chainsThatLack(acceptance: Acceptance, families: readonly Family[]): NftChainRef[] {
  return inquire<NftChainRef[]>([], (conn) =>
    targetsOf(acceptance, families).filter((target) => lacking(conn, target, acceptance).length > 0),
  );
}

/** A mark with one bit in words: `0x10000`. */
export function describeMark(bit: number): string {
  return `0x${(2 ** bit).toString(16)}`;
}

function bitsInUse(conn: Connection): number[] {
  return listNftSets(conn, FAMILY, TABLE).flatMap(({ name }) =>
    name.startsWith(HOSTS) ? Number(name.slice(HOSTS.length)) : [],
  );
}

function setName(bit: number): string {
  return `${HOSTS}${bit}`;
}

function element(verb: 'add' | 'delete', hostName: string, bit: number): Request {
  const what = `accept forwarding for ${hostName} (table inet ${TABLE}, set ${setName(bit)})`;
  return setElement(verb, TABLE, setName(bit), { key: interfaceName(hostName) }, what);
}

function hasElement(conn: Connection, hostName: string, bit: number): boolean {
  return findElement(conn, TABLE, setName(bit), interfaceName(hostName)) !== undefined;
}

/** What to add to a chain so that it accepts the mark; nothing where there is no such chain. */
function lacking(conn: Connection, target: NftChainRef, { bit, adminChain }: Acceptance): Request[] {
  const { family, table, name } = target;
  const rules = { family, table, chain: name };
  const ends = listNftRules(conn, rules).flatMap(({ expressions }) => readMarkRule(expressions, bit) ?? []);
  const accepts = ends.some(({ code }) => code === 'accept');
  const asked = table === 'filter' && name === 'FORWARD' ? adminChain : undefined;
  const asks = asked === undefined || ends.some(({ code, chain }) => code === 'jump' && chain === asked);
  // Mostly there is nothing to add, and no need to ask for the chain.
  if ((accepts && asks) || findNftChain(conn, target) === undefined) return [];
  const insert = (end: NftVerdict): Request =>
    nftRuleRequest('insert', { ...rules, expressions: markRule(bit, end), comment: COMMENT });
  return [
    ...(accepts ? [] : [insert({ code: 'accept' })]),
    // Last, as each rule comes before those that are there.
    ...(asked === undefined
      ? []
      : [nftChainRequest('add', { ...target, name: asked }), insert({ code: 'jump', chain: asked })]),
  ];
}

function ruleset(bit: number): Ruleset {
  return { table: TABLE, least: { [`forward${bit}`]: 3 }, plan: () => plan(bit) };
}

function plan(bit: number): ReturnType<Ruleset['plan']> {
  const hosts = setName(bit);
  const name = `forward${bit}`;
  const isSet = (load: NftExpression, bits: number): NftExpression[] => [
    load,
    mask(abi.NFT_REG_1, u32.encode(bits)),
    compare(abi.NFT_REG_1, 'neq', u32.encode(0)),
  ];
  const mark = [
    metaLoad('mark', abi.NFT_REG_1),
    setBits(abi.NFT_REG_1, markOf(bit)),
    metaSet('mark', abi.NFT_REG_1),
  ];
  const to = [metaLoad('oifname', abi.NFT_REG_1), inSet(hosts, abi.NFT_REG_1)];
  return {
    sets: [newSet({ table: TABLE, name: hosts, key: ['ifname'], id: 1 })],
    chains: [
      {
        name,
        make: newBaseChain(TABLE, name, 'filter', 'forward', BEFORE_FILTER_PRIORITY),
        rules: [
          [metaLoad('iifname', abi.NFT_REG_1), inSet(hosts, abi.NFT_REG_1), ...mark],
          [...isSet(connectionState(abi.NFT_REG_1), ESTABLISHED_RELATED), ...to, ...mark],
          [...isSet(connectionStatus(abi.NFT_REG_1), IPS_DST_NAT), ...to, ...mark],
        ],
      },
    ],
  };
}
