import type { Request } from '../netlink/conn.ts';
import { nftChainRequest, nftRuleRequest, nftTableRequest } from '../netlink/message/nft.ts';
import type { NftExpression } from '../netlink/message/nft-expression.ts';
import type { NftFamily, NftHook } from '../netlink/message/nft-names.ts';
import {
  type NftElement,
  type NftSet,
  type NftSetRef,
  nftElementRequest,
  nftSetRequest,
} from '../netlink/message/nft-set.ts';

// Requests about our tables, in short.

/** The family of all our tables. */
export const FAMILY: NftFamily = 'inet';

/** Makes a table; one that is there already is success. */
export function newTable(name: string): Request {
  return nftTableRequest('add', { family: FAMILY, name });
}

/** Makes a base chain with policy accept; the same one that is there already is success. */
export function newBaseChain(
  table: string,
  name: string,
  type: 'filter' | 'nat',
  hook: NftHook,
  priority: number,
): Request {
  const base = { type, hook, priority, policy: 'accept' } as const;
  return nftChainRequest('add', { family: FAMILY, table, name, base });
}

/** Makes a chain that others lead to; one that is there already is success. */
export function newChain(table: string, name: string): Request {
  return nftChainRequest('add', { family: FAMILY, table, name });
}

/** Appends a rule to a chain; unlike the others this one is not idempotent. */
export function newRule(table: string, chain: string, expressions: readonly NftExpression[]): Request {
  return nftRuleRequest('add', { family: FAMILY, table, chain, expressions });
}

/** Makes a set, or a map if `data` is given; one that is there already is success. */
export function newSet(set: Omit<NftSet, 'family'>): Request {
  return nftSetRequest('add', { family: FAMILY, ...set });
}

/** A set or map of ours. */
export function ourSet(table: string, name: string): NftSetRef {
  return { family: FAMILY, table, name };
}

/** What is done to an element: to `create` one that is there is EEXIST, to `add` it only if it leads elsewhere. */
export type ElementVerb = 'add' | 'create' | 'delete';

/** Adds or deletes one element; `what` names it in words. */
export function setElement(
  verb: ElementVerb,
  table: string,
  set: string,
  element: NftElement,
  what: string,
): Request {
  return nftElementRequest(verb, ourSet(table, set), element, what);
}
