import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../abi/netlink.ts';
import * as abi from '../abi/nf_tables.ts';
import { NFNL_SUBSYS_NFTABLES } from '../abi/nfnetlink.ts';
import { WireError } from '../errors.ts';
import type { Request } from '../request.ts';
import { concat } from '../wire/buffer.ts';
import { nfgenmsg } from './nfgenmsg.ts';
import { familyNumber, type NftFamily } from './nft-names.ts';

/**
 * What is done to an object, in the words of nft(8): `add` is success where it is there already, `create` is EEXIST then;
 * `delete` is ENOENT where it is not there, `destroy` is success then, and needs Linux 6.3.
 */
export type NftVerb = 'add' | 'create' | 'delete' | 'destroy';

/** What is done to a rule: `add` appends it, `insert` puts it first, both of them whatever is there already. */
export type NftRuleVerb = 'add' | 'insert' | 'replace' | 'delete' | 'destroy';

/** The kinds of objects, in the order of their messages: each has one for NEW, GET and DEL. */
const OBJECTS = {
  TABLE: abi.NFT_MSG_NEWTABLE,
  CHAIN: abi.NFT_MSG_NEWCHAIN,
  RULE: abi.NFT_MSG_NEWRULE,
  SET: abi.NFT_MSG_NEWSET,
  SETELEM: abi.NFT_MSG_NEWSETELEM,
} as const;
// NFT_MSG_DESTROYTABLE and those that follow in the order above, since Linux 6.3; older headers lack them.
const FIRST_DESTROY = 26;
const MESSAGES_PER_OBJECT = 3;

const GET = 1;
const DEL = 2;

const FLAGS = {
  add: NLM_F_CREATE,
  create: NLM_F_CREATE | NLM_F_EXCL,
  insert: NLM_F_CREATE,
  replace: NLM_F_REPLACE,
  delete: 0,
  destroy: 0,
  get: 0,
} as const;

/** A request about an object; `what` says it in words. */
export function nftRequest(
  verb: NftVerb | NftRuleVerb | 'get',
  object: keyof typeof OBJECTS,
  family: NftFamily | undefined,
  body: Uint8Array,
  what: string,
): Request {
  const first = OBJECTS[object];
  let kind = 'NEW';
  let message: number = first;
  if (verb === 'get') {
    kind = 'GET';
    message = first + GET;
  } else if (verb === 'delete') {
    kind = 'DEL';
    message = first + DEL;
  } else if (verb === 'destroy') {
    kind = 'DESTROY';
    message = FIRST_DESTROY + first / MESSAGES_PER_OBJECT;
  }
  return {
    type: (NFNL_SUBSYS_NFTABLES << 8) | message,
    name: `NFT_MSG_${kind}${object}`,
    flags: object === 'RULE' && verb === 'add' ? NLM_F_CREATE | NLM_F_APPEND : FLAGS[verb],
    payload: concat([nfgenmsg(familyNumber(family)), body]),
    what,
  };
}

/**
 * What names an object, checked: a deletion that does not say which means all of them, and types do not reach callers
 * without them. Throws {@link WireError}.
 */
export function named<T extends string | number>(value: T | undefined, what: string): T {
  if (value === undefined || value === '') throw new WireError(`${what}: it must be said which`);
  return value;
}
