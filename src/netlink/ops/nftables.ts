import { isErrno } from '../../errors.ts';
import type { Connection, Request } from '../conn.ts';
import {
  decodeChain,
  decodeChainOfRule,
  decodeRule,
  decodeTable,
  getChains,
  getRules,
  getTables,
  type NftChainInfo,
  type NftChainRef,
  type NftRuleInfo,
  type NftRulesRef,
  type NftTableInfo,
  type NftTableRef,
} from '../message/nft.ts';
import { batchBoundary, decodeGeneration, getGeneration } from '../message/nft-batch.ts';
import type { NftFamily } from '../message/nft-names.ts';
import {
  decodeElements,
  decodeSet,
  getElements,
  getSets,
  type NftElement,
  type NftSetInfo,
  type NftSetRef,
  nftElementRequest,
} from '../message/nft-set.ts';

/**
 * Sends requests about nf_tables as one transaction: all of them take effect, or none. `conn` is a connection of
 * `NETLINK_NETFILTER`, here and below; to close it after deletions takes as long as the kernel needs to forget what
 * was deleted, 8 to 16 ms. Throws the first {@link NetlinkError}, which says what was refused; with `since`, a generation of
 * {@link nftGeneration}, it is ERESTART if somebody has changed the ruleset meanwhile.
 */
export function commitNft(conn: Connection, requests: readonly Request[], since?: number): void {
  conn.transaction(batchBoundary(false, since), requests, batchBoundary(true));
}

/**
 * The generation of the ruleset, a number that each transaction that changes something moves on; undefined in a kernel that
 * has nfnetlink but no nf_tables. Throws {@link NetlinkError}.
 */
export function nftGeneration(conn: Connection): number | undefined {
  try {
    const [answer = new Uint8Array(4)] = conn.request(getGeneration());
    return decodeGeneration(answer);
  } catch (error) {
    if (isErrno(error, 'EINVAL', 'EOPNOTSUPP')) return undefined;
    throw error;
  }
}

const MOST_RACES = 1000;

/**
 * Commits what `plan` finds to be done, on condition that nobody has changed the ruleset since it looked; if somebody has, it
 * looks again, `attempts` times at most. Nothing to be done is success. Throws {@link NetlinkError}: ERESTART when
 * the ruleset has changed each time.
 */
export function commitNftUnchanged(
  conn: Connection,
  plan: () => readonly Request[],
  attempts: number = MOST_RACES,
): void {
  for (let race = 1; ; race++) {
    const since = nftGeneration(conn);
    const requests = plan();
    if (requests.length === 0) return;
    try {
      commitNft(conn, requests, since);
      return;
    } catch (error) {
      if (!isErrno(error, 'ERESTART') || race >= attempts) throw error;
    }
  }
}

function orAbsent<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** The tables of a family, or all. Throws {@link NetlinkError}. */
export function listNftTables(conn: Connection, family?: NftFamily): NftTableInfo[] {
  return conn.dump(getTables(family)).map(decodeTable);
}

/** One table; undefined where there is none. Throws {@link NetlinkError}. */
export function findNftTable(conn: Connection, { family, name }: NftTableRef): NftTableInfo | undefined {
  return orAbsent(() => conn.request(getTables(family, name)).map(decodeTable)[0]);
}

/** The chains of a table, of a family, or all. Throws {@link NetlinkError}. */
export function listNftChains(conn: Connection, family?: NftFamily, table?: string): NftChainInfo[] {
  // The kernel lists the chains of all tables.
  const all = conn.dump(getChains(family)).map(decodeChain);
  return table === undefined ? all : all.filter((chain) => chain.table === table);
}

/** One chain; undefined where there is none. Throws {@link NetlinkError}. */
export function findNftChain(
  conn: Connection,
  { family, table, name }: NftChainRef,
): NftChainInfo | undefined {
  return orAbsent(() => conn.request(getChains(family, table, name)).map(decodeChain)[0]);
}

/**
 * The rules of a chain, of a table, of a family, or all, in order; of what is not there, none. Throws {@link NetlinkError}.
 */
export function listNftRules(
  conn: Connection,
  { family, table, chain }: Partial<NftRulesRef> = {},
): NftRuleInfo[] {
  return orAbsent(() => conn.dump(getRules(family, table, chain)).map(decodeRule)) ?? [];
}

/**
 * How many rules each chain of a table has, by its name; those without rules are left out. It costs less than to list
 * them. Throws {@link NetlinkError}.
 */
export function countNftRules(conn: Connection, { family, name }: NftTableRef): Map<string, number> {
  const counts = new Map<string, number>();
  for (const answer of orAbsent(() => conn.dump(getRules(family, name))) ?? []) {
    const chain = decodeChainOfRule(answer);
    counts.set(chain, (counts.get(chain) ?? 0) + 1);
  }
  return counts;
}

/** The sets and maps of a table, of a family, or all; of what is not there, none. Throws {@link NetlinkError}. */
export function listNftSets(conn: Connection, family?: NftFamily, table?: string): NftSetInfo[] {
  return orAbsent(() => conn.dump(getSets(family, table)).map(decodeSet)) ?? [];
}

/** One set or map; undefined where there is none. Throws {@link NetlinkError}. */
export function findNftSet(conn: Connection, { family, table, name }: NftSetRef): NftSetInfo | undefined {
  return orAbsent(() => conn.request(getSets(family, table, name)).map(decodeSet)[0]);
}

/** The elements of a set or map; of one that is not there, none. Throws {@link NetlinkError}. */
export function listNftElements(conn: Connection, set: NftSetRef): NftElement[] {
  return orAbsent(() => conn.dump(getElements(set)).flatMap(decodeElements)) ?? [];
}

/**
 * The element that a key belongs to; undefined where there is none, or no such set. It costs the same however many there
 * are. Throws {@link NetlinkError}.
 */
export function findNftElement(conn: Connection, set: NftSetRef, key: Uint8Array): NftElement | undefined {
  return orAbsent(() => conn.request(nftElementRequest('get', set, { key })).flatMap(decodeElements)[0]);
}
