import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL } from '../abi/netlink.ts';
import * as abi from '../abi/nf_tables.ts';
import { NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END, NFNL_SUBSYS_NFTABLES } from '../abi/nfnetlink.ts';
import type { Request } from '../request.ts';
import { attr, attributes, listOf, nested } from '../wire/attributes.ts';
import { concat } from '../wire/buffer.ts';
import { be32, bytes, type Codec, string, u32 } from '../wire/value.ts';

// Attributes of the nf_tables objects that are used here: NFTA_*, <linux/netfilter/nf_tables.h>. Everything that
// is a number is in network order.
const value = attributes({ value: attr(abi.NFTA_DATA_VALUE, bytes) });

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
  description: nested(abi.NFTA_SET_DESC, description),
  id: attr(abi.NFTA_SET_ID, be32),
  userData: attr(abi.NFTA_SET_USERDATA, bytes),
});

const element = attributes({
  key: nested(abi.NFTA_SET_ELEM_KEY, value),
  keyEnd: nested(abi.NFTA_SET_ELEM_KEY_END, value),
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

const meta = attributes({ dreg: attr(abi.NFTA_META_DREG, be32), key: attr(abi.NFTA_META_KEY, be32) });
const cmp = attributes({
  sreg: attr(abi.NFTA_CMP_SREG, be32),
  op: attr(abi.NFTA_CMP_OP, be32),
  data: nested(abi.NFTA_CMP_DATA, value),
});
const payload = attributes({
  dreg: attr(abi.NFTA_PAYLOAD_DREG, be32),
  base: attr(abi.NFTA_PAYLOAD_BASE, be32),
  offset: attr(abi.NFTA_PAYLOAD_OFFSET, be32),
  length: attr(abi.NFTA_PAYLOAD_LEN, be32),
});
const bitwise = attributes({
  sreg: attr(abi.NFTA_BITWISE_SREG, be32),
  dreg: attr(abi.NFTA_BITWISE_DREG, be32),
  length: attr(abi.NFTA_BITWISE_LEN, be32),
  mask: nested(abi.NFTA_BITWISE_MASK, value),
  xor: nested(abi.NFTA_BITWISE_XOR, value),
});
const lookup = attributes({
  set: attr(abi.NFTA_LOOKUP_SET, string),
  sreg: attr(abi.NFTA_LOOKUP_SREG, be32),
  flags: attr(abi.NFTA_LOOKUP_FLAGS, be32),
});

/** One expression of a rule: its kernel name and its encoded attributes. */
export interface Expression {
  readonly name: string;
  readonly data: Uint8Array;
}

/** Loads a `meta` key (NFT_META_*) into a register. */
export function metaLoad(key: number, dreg: number): Expression {
  return { name: 'meta', data: meta.encode({ dreg, key }) };
}

/** Goes on only if the register equals (NFT_CMP_EQ) or does not equal (NFT_CMP_NEQ) the bytes. */
export function compare(sreg: number, op: number, data: Uint8Array): Expression {
  return { name: 'cmp', data: cmp.encode({ sreg, op, data: { value: data } }) };
}

/** Loads bytes of the network header into a register. */
export function networkHeader(offset: number, length: number, dreg: number): Expression {
  const base = abi.NFT_PAYLOAD_NETWORK_HEADER;
  return { name: 'payload', data: payload.encode({ dreg, base, offset, length }) };
}

/** Keeps only the masked bits of a register. */
export function mask(reg: number, bits: Uint8Array): Expression {
  const xor = { value: new Uint8Array(bits.length) };
  return {
    name: 'bitwise',
    data: bitwise.encode({ sreg: reg, dreg: reg, length: bits.length, mask: { value: bits }, xor }),
  };
}

/** Goes on only if the register is in the set, or, inverted, if it is not. */
export function inSet(name: string, sreg: number, inverted = false): Expression {
  return {
    name: 'lookup',
    data: lookup.encode({ set: name, sreg, flags: inverted ? abi.NFT_LOOKUP_F_INV : 0 }),
  };
}

/** Replaces the source address by that of the outgoing interface. */
export function masquerade(): Expression {
  return { name: 'masq', data: new Uint8Array(0) };
}

// nft's own note in a set, which the kernel only keeps: the keys are in host order, as strings are said to be. Without
// it `nft list` shows names as "". A type, a length, a value: enum nftnl_udata_set_types of libnftnl, <udata.h>, and
// enum byteorder of nftables, <datatype.h>.
const KEYS_IN_HOST_ORDER = concat([Uint8Array.of(0, 4), u32.encode(1)]);

// struct nfgenmsg: family, version 0, res_id in network order.
function nfgenmsg(family: number, resourceId = 0): Uint8Array {
  return Uint8Array.of(family, 0, resourceId >> 8, resourceId & 0xff);
}

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

/** NFNL_MSG_BATCH_BEGIN and NFNL_MSG_BATCH_END around a transaction of nf_tables. */
export function batchBoundary(end: boolean): Request {
  return {
    type: end ? NFNL_MSG_BATCH_END : NFNL_MSG_BATCH_BEGIN,
    name: end ? 'NFNL_MSG_BATCH_END' : 'NFNL_MSG_BATCH_BEGIN',
    payload: nfgenmsg(0, NFNL_SUBSYS_NFTABLES),
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

/** Makes a base chain with policy accept; EEXIST if it is there, so that its rules are added by its maker alone. */
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
    NLM_F_CREATE | NLM_F_EXCL,
    chain,
    { table: chainTable, name, hook: { hooknum, priority }, policy: abi.NF_ACCEPT, type },
    `add chain inet ${chainTable} ${name}`,
  );
}

/** What a set holds. */
export interface SetSpec {
  readonly table: string;
  readonly name: string;
  /** nft's number of the type, which the kernel only keeps for `nft list`. */
  readonly keyType: number;
  /** Bytes of a key, each field padded to 4. */
  readonly keyLength: number;
  /** Lengths of the fields of a concatenation of intervals. */
  readonly fields?: readonly number[];
  /** Unique in its transaction. */
  readonly id: number;
}

/** Makes a set: of intervals if `fields` are given, else of single keys in host order. */
export function newSet(spec: SetSpec): Request {
  const { fields, ...rest } = spec;
  const flags = fields === undefined ? 0 : abi.NFT_SET_INTERVAL | abi.NFT_SET_CONCAT;
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
      userData: concatenation === undefined ? KEYS_IN_HOST_ORDER : undefined,
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

/** One element of a set: a key, or an interval from `key` to `keyEnd`. */
export interface SetElement {
  readonly key: Uint8Array;
  readonly keyEnd?: Uint8Array;
}

/** Adds, deletes or looks up one element; `what` names it in words. */
export function setElement(
  verb: 'NEW' | 'DEL' | 'GET',
  elementTable: string,
  elementSet: string,
  { key, keyEnd }: SetElement,
  what: string,
): Request {
  const messages = { NEW: abi.NFT_MSG_NEWSETELEM, DEL: abi.NFT_MSG_DELSETELEM, GET: abi.NFT_MSG_GETSETELEM };
  const one = { key: { value: key }, keyEnd: keyEnd === undefined ? undefined : { value: keyEnd } };
  return inetRequest(
    `NFT_MSG_${verb}SETELEM`,
    messages[verb],
    verb === 'NEW' ? NLM_F_CREATE : 0,
    elements,
    { table: elementTable, set: elementSet, elements: [one] },
    what,
  );
}

/** The keys of the elements in a NFT_MSG_NEWSETELEM answer. Throws {@link WireError}. */
export function decodeElementKeys(answer: Uint8Array): Uint8Array[] {
  const { elements: list = [] } = elements.decode(answer.subarray(4));
  return list.flatMap((one) => one.key?.value ?? []);
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

/** The request for every rule of a chain, for a dump. */
export function listRules(ruleTable: string, ruleChain: string): Request {
  return inetRequest(
    'NFT_MSG_GETRULE',
    abi.NFT_MSG_GETRULE,
    0,
    rule,
    { table: ruleTable, chain: ruleChain },
    `list chain inet ${ruleTable} ${ruleChain}`,
  );
}

/** The names of the expressions of the rule in a NFT_MSG_NEWRULE answer, in order. Throws {@link WireError}. */
export function decodeRule(answer: Uint8Array): string[] {
  const { expressions = [] } = rule.decode(answer.subarray(4));
  return expressions.flatMap(({ name }) => name ?? []);
}
