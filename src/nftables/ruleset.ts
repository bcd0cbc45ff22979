import { isErrno } from '../errors.ts';
import type { Connection, Request } from '../netlink/conn.ts';
import { nftFlushChainRequest } from '../netlink/message/nft.ts';
import type { NftExpression } from '../netlink/message/nft-expression.ts';
import { commitNft, commitNftUnchanged, countNftRules } from '../netlink/ops/nftables.ts';
import { FAMILY, newRule, newTable } from './requests.ts';
import { addOrInstall, addShared, inquire, type SharedElement, tryCommit } from './transaction.ts';

// A table of ours as a whole, to be made when a container needs it first, and again when somebody has flushed it.

/** A chain of a table and all rules that belong into it. */
export interface ChainPlan {
  readonly name: string;
  /** Makes it; one that is there already is success. */
  readonly make: Request;
  readonly rules: readonly (readonly NftExpression[])[];
}

/** A table of ours. */
export interface Ruleset {
  readonly table: string;
  /** How many rules each chain has at least. */
  readonly least: Readonly<Record<string, number>>;
  /** What makes it: the sets, and the chains, of which those that others lead to come first. */
  plan(): { readonly sets: readonly Request[]; readonly chains: readonly ChainPlan[] };
}

/** Elements of containers that are there already, for a table that has lost them. */
export interface Restored {
  readonly shared: readonly SharedElement[];
  readonly own: readonly Request[];
}

/**
 * Adds elements: `shared` ones and `own` ones. Where the table is missing, or has lost rules, it is made or completed first,
 * with the elements that `others` has for other containers. Throws {@link NetlinkError}.
 */
export function addElements(
  conn: Connection,
  ruleset: Ruleset,
  shared: readonly SharedElement[],
  own: readonly Request[],
  others: () => Restored,
): void {
  complete(conn, ruleset, others);
  addOrInstall(conn, () => install(conn, ruleset, others), shared, own);
}

function complete(conn: Connection, ruleset: Ruleset, others: () => Restored): boolean {
  const isLacking = !isWhole(conn, ruleset);
  if (isLacking) install(conn, ruleset, others);
  return isLacking;
}

/**
 * Makes a table with the elements of containers that are there, if there are any and the table is missing, or has lost rules.
 * Tells whether it has. Throws {@link NetlinkError}.
 */
export function restore(ruleset: Ruleset, others: () => Restored): boolean {
  if (others().own.length === 0) return false;
  return inquire(false, (conn) => complete(conn, ruleset, others));
}

/** Whether every chain of a table has its rules. */
export function isWhole(conn: Connection, { table, least }: Ruleset): boolean {
  const found = countNftRules(conn, { family: FAMILY, name: table });
  return Object.entries(least).every(([chain, count]) => (found.get(chain) ?? 0) >= count);
}

const MOST_AT_ONCE = 500;

const ATTEMPTS = 3;

function install(conn: Connection, ruleset: Ruleset, others: () => Restored): void {
  for (let attempt = 1; ; attempt++) {
    try {
      installOnce(conn, ruleset, others);
      return;
    } catch (error) {
      // Somebody flushes the ruleset (a reload of nftables.service does) at this very moment.
      if (!isErrno(error, 'ENOENT') || attempt === ATTEMPTS) throw error;
    }
  }
}

// The rules come last: whoever finds them does not ask for what may be missing.
function installOnce(conn: Connection, { table, least, plan }: Ruleset, others: () => Restored): void {
  const { sets, chains } = plan();
  commitNft(conn, [newTable(table), ...sets]);
  const { shared, own } = others();
  for (const one of shared) addShared(conn, one);
  for (let at = 0; at < own.length; at += MOST_AT_ONCE) {
    const some = own.slice(at, at + MOST_AT_ONCE);
    // What another has taken meanwhile stays where it is; CHECK tells whom it is missing.
    if (tryCommit(conn, some, 'EEXIST') !== undefined)
      for (const one of some) tryCommit(conn, [one], 'EEXIST');
  }
  // Of many who install it at once, one makes the rules: for the others the ruleset has changed since they looked.
  commitNftUnchanged(conn, () => {
    const found = countNftRules(conn, { family: FAMILY, name: table });
    const lacking = chains.filter(({ name }) => (found.get(name) ?? 0) < (least[name] ?? 0));
    return [
      ...lacking.flatMap(({ name, make }) => [make, nftFlushChainRequest({ family: FAMILY, table, name })]),
      ...lacking.flatMap(({ name, rules }) => rules.map((rule) => newRule(table, name, rule))),
    ];
  });
}
