import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL } from '../abi/netlink.ts';
import * as abi from '../abi/nf_tables.ts';
import {
  NFNL_BATCH_GENID,
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFNL_SUBSYS_NFTABLES,
} from '../abi/nfnetlink.ts';
import type { Request } from '../request.ts';
import { attr, attributes, listOf, nested, splitAttributes } from '../wire/attributes.ts';
import { concat } from '../wire/buffer.ts';
import { be32, bytes, type Codec, string, u32 } from '../wire/value.ts';
import { nfgenmsg } from './nfgenmsg.ts';
import { type Expression, nftData } from './nft-expression.ts';

// Attributes of the nf_tables objects that are used here: NFTA_*, <linux/netfilter/nf_tables.h>. Everything that
// is a number is in network order.
const table = attributes({
  name: attr(abi.NFTA_TABLE_NAME, string),
  flags: attr(abi.NFTA_TABLE_FLAGS, be32),
});

const hook = attributes({
  hooknum: attr(abi.NFTA_HOOK_HOOKNUM, be32),
  priority: attr(abi.NFTA_HOOK_PRIORITY, be32),
});
const chain = attributes({
  table: attr(abi.NFTA_CHAIN_TABLE, string),
  name: attr(abi.NFTA_CHAIN_NAME, string),
  hook: nested(abi.NFTA_CHAIN_HOOK, hook),
  policy: attr(abi.NFTA_CHAIN_POLICY, be32),
  type: attr(abi.NFTA_CHAIN_TYPE, string),
});

const generation = attributes({ id: attr(abi.NFTA_GEN_ID, be32) });
const batch = attributes({ generation: attr(NFNL_BATCH_GENID, be32) });

const field = attributes({ length: attr(abi.NFTA_SET_FIELD_LEN, be32) });
const description = attributes({
  concat: nested(abi.NFTA_SET_DESC_CONCAT, listOf(abi.NFTA_LIST_ELEM, field)),
});
const set = attributes({
  table: attr(abi.NFTA_SET_TABLE, string),
  name: attr(abi.NFTA_SET_NAME, string),
  flags: attr(abi.NFTA_SET_FLAGS, be32),
  keyType: attr(abi.NFTA_SET_KEY_TYPE, be32),
  keyLength: attr(abi.NFTA_SET_KEY_LEN, be32),
  dataType: attr(abi.NFTA_SET_DATA_TYPE, be32),
  dataLength: attr(abi.NFTA_SET_DATA_LEN, be32),
  description: nested(abi.NFTA_SET_DESC, description),
  id: attr(abi.NFTA_SET_ID, be32),
  userData: attr(abi.NFTA_SET_USERDATA, bytes),
});

const element = attributes({
  key: nested(abi.NFTA_SET_ELEM_KEY, nftData),
  data: nested(abi.NFTA_SET_ELEM_DATA, nftData),
  userData: attr(abi.NFTA_SET_ELEM_USERDATA, bytes),
  keyEnd: nested(abi.NFTA_SET_ELEM_KEY_END, nftData),
});
const elements = attributes({
  table: attr(abi.NFTA_SET_ELEM_LIST_TABLE, string),
  set: attr(abi.NFTA_SET_ELEM_LIST_SET, string),
  elements: nested(abi.NFTA_SET_ELEM_LIST_ELEMENTS, listOf(abi.NFTA_LIST_ELEM, element)),
});

const expression = attributes({
  name: attr(abi.NFTA_EXPR_NAME, string),
  data: nested(abi.NFTA_EXPR_DATA, bytes),
});
const rule = attributes({
  table: attr(abi.NFTA_RULE_TABLE, string),
  chain: attr(abi.NFTA_RULE_CHAIN, string),
  expressions: nested(abi.NFTA_RULE_EXPRESSIONS, listOf(abi.NFTA_LIST_ELEM, expression)),
});

// nft's own note in a set, which the kernel only keeps: the keys are in host order, as strings are said to be. Without
// it `nft list` shows names as "". A type, a length, a value: enum nftnl_udata_set_types of libnftnl, <udata.h>, and
// enum byteorder of nftables, <datatype.h>.
const KEYS_IN_HOST_ORDER = concat([Uint8Array.of(0, 4), u32.encode(1)]);

function inetRequest<T>(
  name: string,
  message: number,
  flags: number,
  codec: Codec<T>,
  values: T,
  what: string,
): Request {
  return {
    type: (NFNL_SUBSYS_NFTABLES << 8) | message,
    name,
    flags,
    payload: concat([nfgenmsg(abi.NFPROTO_INET), codec.encode(values)]),
    what,
  };
}

/** The request for the generation of the ruleset, which each transaction that changes something moves on. */
export function getGeneration(): Request {
  return inetRequest(
    'NFT_MSG_GETGEN',
    abi.NFT_MSG_GETGEN,
    0,
    generation,
    {},
    'get the generation of the ruleset',
  );
}

/** The generation in the answer to {@link getGeneration}. Throws {@link WireError}. */
export function decodeGeneration(answer: Uint8Array): number {
  return generation.decode(answer.subarray(4)).id ?? 0;
}

/**
 * NFNL_MSG_BATCH_BEGIN and NFNL_MSG_BATCH_END around a transaction of nf_tables. One that begins with a generation is
 * refused with ERESTART if somebody has changed the ruleset since.
 */
export function batchBoundary(end: boolean, since?: number): Request {
  return {
    type: end ? NFNL_MSG_BATCH_END : NFNL_MSG_BATCH_BEGIN,
    name: end ? 'NFNL_MSG_BATCH_END' : 'NFNL_MSG_BATCH_BEGIN',
    payload: concat([nfgenmsg(0, NFNL_SUBSYS_NFTABLES), batch.encode({ generation: since })]),
    what: 'nftables transaction',
  };
}

/** Makes a table of family inet; one that is there already is success. */
export function newTable(name: string): Request {
  const values = { name, flags: 0 };
  return inetRequest(
    'NFT_MSG_NEWTABLE',
    abi.NFT_MSG_NEWTABLE,
    NLM_F_CREATE,
    table,
    values,
    `add table inet ${name}`,
  );
}

/** Makes a base chain with policy accept; the same one that is there already is success. */
export function newBaseChain(
  chainTable: string,
  name: string,
  type: string,
  hooknum: number,
  priority: number,
): Request {
  return inetRequest(
    'NFT_MSG_NEWCHAIN',
    abi.NFT_MSG_NEWCHAIN,
    NLM_F_CREATE,
    chain,
    { table: chainTable, name, hook: { hooknum, priority: priority >>> 0 }, policy: abi.NF_ACCEPT, type },
    `add chain inet ${chainTable} ${name}`,
  );
}

/** Makes a chain that others lead to; one that is there already is success. */
export function newChain(chainTable: string, name: string): Request {
  return inetRequest(
    'NFT_MSG_NEWCHAIN',
    abi.NFT_MSG_NEWCHAIN,
    NLM_F_CREATE,
    chain,
    { table: chainTable, name },
    `add chain inet ${chainTable} ${name}`,
  );
}

/** What a set or map holds. */
export interface SetSpec {
  readonly table: string;
  readonly name: string;
  /** nft's number of the type, which the kernel only keeps for `nft list`. */
  readonly keyType: number;
  /** Bytes of a key, each field padded to 4. */
  readonly keyLength: number;
  /** Lengths of the fields of a concatenation of intervals. */
  readonly fields?: readonly number[];
  /** Whether the keys are in host order (names of interfaces), for `nft list`; otherwise they are in network order. */
  readonly hostOrder?: boolean;
  /** nft's number of the type of what the keys lead to, and its bytes: for a map. */
  readonly data?: { readonly type: number; readonly length: number };
  /** Unique in its transaction. */
  readonly id: number;
}

/** Makes a set, or a map if `data` is given: of intervals if `fields` are given, else of single keys. */
export function newSet(spec: SetSpec): Request {
  const { fields, hostOrder, data, ...rest } = spec;
  const flags =
    (fields === undefined ? 0 : abi.NFT_SET_INTERVAL | abi.NFT_SET_CONCAT) |
    (data === undefined ? 0 : abi.NFT_SET_MAP);
  const concatenation = fields?.map((length) => ({ length }));
  return inetRequest(
    'NFT_MSG_NEWSET',
    abi.NFT_MSG_NEWSET,
    NLM_F_CREATE,
    set,
    {
      ...rest,
      flags,
      description: concatenation === undefined ? undefined : { concat: concatenation },
      dataType: data?.type,
      dataLength: data?.length,
      userData: hostOrder === true ? KEYS_IN_HOST_ORDER : undefined,
    },
    `add set inet ${spec.table} ${spec.name}`,
  );
}

/** Appends a rule to a chain; unlike the others this one is not idempotent. */
export function newRule(ruleTable: string, ruleChain: string, expressions: readonly Expression[]): Request {
  return inetRequest(
    'NFT_MSG_NEWRULE',
    abi.NFT_MSG_NEWRULE,
    NLM_F_CREATE | NLM_F_APPEND,
    rule,
    { table: ruleTable, chain: ruleChain, expressions },
    `add rule inet ${ruleTable} ${ruleChain}`,
  );
}

/** One element of a set or map: a key, or an interval from `key` to `keyEnd`. */
export interface SetElement {
  readonly key: Uint8Array;
  readonly keyEnd?: Uint8Array;
  /** What the key leads to, in a map. */
  readonly data?: Uint8Array;
  /** A note of at most 254 bytes, which `nft list` shows. */
  readonly comment?: string;
}

/**
 * Adds, deletes or looks up one element; `what` names it in words. To add one that is there is success if it leads to
 * the same (its comment stays as it is), else EEXIST; with ADD also to add one that is there at all.
 */
export function setElement(
  verb: 'NEW' | 'ADD' | 'DEL' | 'GET',
  elementTable: string,
  elementSet: string,
  { key, keyEnd, data, comment }: SetElement,
  what: string,
): Request {
  const kind = verb === 'ADD' ? 'NEW' : verb;
  const messages = { NEW: abi.NFT_MSG_NEWSETELEM, DEL: abi.NFT_MSG_DELSETELEM, GET: abi.NFT_MSG_GETSETELEM };
  const flags = { NEW: NLM_F_CREATE, ADD: NLM_F_CREATE | NLM_F_EXCL, DEL: 0, GET: 0 };
  const one = {
    key: { value: key },
    keyEnd: keyEnd === undefined ? undefined : { value: keyEnd },
    data: data === undefined ? undefined : { value: data },
    userData: comment === undefined ? undefined : encodeComment(comment),
  };
  return inetRequest(
    `NFT_MSG_${kind}SETELEM`,
    messages[kind],
    flags[verb],
    elements,
    { table: elementTable, set: elementSet, elements: [one] },
    what,
  );
}

// enum nftnl_udata_set_elem_types of libnftnl, <udata.h>: a type, a length, a text that ends with NUL.
const UDATA_COMMENT = 0;

/** The user data by which nft knows a comment of an element or a rule: at most 254 bytes. */
export function encodeComment(comment: string): Uint8Array {
  const text = new TextEncoder().encode(`${comment}\0`);
  return concat([Uint8Array.of(UDATA_COMMENT, text.length), text]);
}

function decodeComment(userData: Uint8Array | undefined): string | undefined {
  for (let at = 0; userData !== undefined && at + 2 <= userData.length; ) {
    const [type, length = 0] = userData.subarray(at, at + 2);
    const value = userData.subarray(at + 2, at + 2 + length);
    if (type === UDATA_COMMENT) return new TextDecoder().decode(value.subarray(0, value.indexOf(0)));
    at += 2 + length;
  }
  return undefined;
}

/** The elements in a NFT_MSG_NEWSETELEM answer. Throws {@link WireError}. */
export function decodeElements(answer: Uint8Array): SetElement[] {
  const { elements: list = [] } = elements.decode(answer.subarray(4));
  return list.flatMap(({ key, keyEnd, data, userData }): SetElement[] => {
    if (key?.value === undefined) return [];
    const comment = decodeComment(userData);
    return [
      {
        key: key.value,
        ...(keyEnd?.value === undefined ? {} : { keyEnd: keyEnd.value }),
        ...(data?.value === undefined ? {} : { data: data.value }),
        ...(comment === undefined ? {} : { comment }),
      },
    ];
  });
}

/** The request for every element of a set, for a dump. */
export function listElements(elementTable: string, elementSet: string): Request {
  return inetRequest(
    'NFT_MSG_GETSETELEM',
    abi.NFT_MSG_GETSETELEM,
    0,
    elements,
    { table: elementTable, set: elementSet },
    `list set inet ${elementTable} ${elementSet}`,
  );
}

/** The request for every rule of a table, or of one of its chains, for a dump. */
export function listRules(ruleTable: string, ruleChain?: string): Request {
  return inetRequest(
    'NFT_MSG_GETRULE',
    abi.NFT_MSG_GETRULE,
    0,
    rule,
    { table: ruleTable, chain: ruleChain },
    `list ${ruleChain === undefined ? 'rules of table' : 'chain'} inet ${ruleTable} ${ruleChain ?? ''}`.trim(),
  );
}

/** The chain that the rule in a NFT_MSG_NEWRULE answer is in. Throws {@link WireError}. */
export function decodeRuleChain(answer: Uint8Array): string | undefined {
  // Nothing else of it is decoded: rules are counted on the way of each ADD.
  const name = splitAttributes(answer.subarray(4)).find(({ type }) => type === abi.NFTA_RULE_CHAIN);
  return name === undefined ? undefined : string.decode(name.data);
}

/** Removes all rules of a chain; ENOENT where there is no such chain. */
export function flushChain(ruleTable: string, ruleChain: string): Request {
  return inetRequest(
    'NFT_MSG_DELRULE',
    abi.NFT_MSG_DELRULE,
    0,
    rule,
    { table: ruleTable, chain: ruleChain },
    `flush chain inet ${ruleTable} ${ruleChain}`,
  );
}

/** The request for every set of a table, for a dump. */
export function listSets(setTable: string): Request {
  return inetRequest(
    'NFT_MSG_GETSET',
    abi.NFT_MSG_GETSET,
    0,
    set,
    { table: setTable },
    `list sets of table inet ${setTable}`,
  );
}

/** The name of the set in a NFT_MSG_NEWSET answer. Throws {@link WireError}. */
export function decodeSetName(answer: Uint8Array): string | undefined {
  return set.decode(answer.subarray(4)).name;
}

/** The names of the expressions of the rule in a NFT_MSG_NEWRULE answer, in order. Throws {@link WireError}. */
export function decodeRule(answer: Uint8Array): string[] {
  const { expressions = [] } = rule.decode(answer.subarray(4));
  return expressions.flatMap(({ name }) => name ?? []);
}
