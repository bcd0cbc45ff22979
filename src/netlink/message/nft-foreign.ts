import { NLM_F_CREATE } from '../abi/netlink.ts';
import * as abi from '../abi/nf_tables.ts';
import { NFNL_SUBSYS_NFTABLES } from '../abi/nfnetlink.ts';
import type { Request } from '../request.ts';
import { attr, attributes, listOf, nested } from '../wire/attributes.ts';
import { concat } from '../wire/buffer.ts';
import { be32, bytes, type Codec, string } from '../wire/value.ts';
import { nfgenmsg } from './nfgenmsg.ts';
import { encodeComment } from './nft.ts';
import type { Expression } from './nft-expression.ts';

// Chains and rules of other programs' tables, of whatever family: NFTA_*, <linux/netfilter/nf_tables.h>.

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
  use: attr(abi.NFTA_CHAIN_USE, be32),
  type: attr(abi.NFTA_CHAIN_TYPE, string),
});
const expression = attributes({
  name: attr(abi.NFTA_EXPR_NAME, string),
  data: nested(abi.NFTA_EXPR_DATA, bytes),
});
const rule = attributes({
  table: attr(abi.NFTA_RULE_TABLE, string),
  chain: attr(abi.NFTA_RULE_CHAIN, string),
  expressions: nested(abi.NFTA_RULE_EXPRESSIONS, listOf(abi.NFTA_LIST_ELEM, expression)),
  userData: attr(abi.NFTA_RULE_USERDATA, bytes),
});

/** Where a chain is. */
export interface ChainName {
  /** NFPROTO_*. */
  readonly family: number;
  readonly table: string;
  readonly name: string;
}

/** A chain as the kernel tells it. */
export interface Chain extends ChainName {
  /** Absent for one that is no base chain. */
  readonly hook?: { readonly hooknum: number; readonly priority: number };
  /** NF_ACCEPT or NF_DROP, of a base chain. */
  readonly policy?: number;
  /** How many rules it has, and how many lead to it. */
  readonly use: number;
}

const FAMILY_NAMES: Readonly<Record<number, string>> = {
  [abi.NFPROTO_INET]: 'inet',
  [abi.NFPROTO_IPV4]: 'ip',
  [abi.NFPROTO_IPV6]: 'ip6',
};

/** A chain in the words of nft: `ip filter FORWARD`. */
export function describeChain({ family, table: chainTable, name }: ChainName): string {
  return `${FAMILY_NAMES[family] ?? family} ${chainTable} ${name}`;
}

function request<T>(
  name: string,
  message: number,
  flags: number,
  family: number,
  codec: Codec<T>,
  values: T,
  what: string,
): Request {
  return {
    type: (NFNL_SUBSYS_NFTABLES << 8) | message,
    name,
    flags,
    payload: concat([nfgenmsg(family), codec.encode(values)]),
    what,
  };
}

/** The request for every chain of every family, for a dump. */
export function listChains(): Request {
  return request('NFT_MSG_GETCHAIN', abi.NFT_MSG_GETCHAIN, 0, abi.NFPROTO_UNSPEC, chain, {}, 'list chains');
}

/** The request for one chain; ENOENT where there is none. */
export function getChain(where: ChainName): Request {
  const { family, table: chainTable, name } = where;
  const values = { table: chainTable, name };
  const what = `get chain ${describeChain(where)}`;
  return request('NFT_MSG_GETCHAIN', abi.NFT_MSG_GETCHAIN, 0, family, chain, values, what);
}

/** The chain in a NFT_MSG_NEWCHAIN answer. Throws {@link WireError}. */
export function decodeChain(answer: Uint8Array): Chain {
  const { hook: at, policy, use = 0, name = '', ...rest } = chain.decode(answer.subarray(4));
  return {
    family: answer[0] ?? 0,
    table: rest.table ?? '',
    name,
    use,
    ...(at?.hooknum === undefined || at.priority === undefined
      ? {}
      : { hook: { hooknum: at.hooknum, priority: at.priority | 0 } }),
    ...(policy === undefined ? {} : { policy }),
  };
}

/** Makes a chain that others lead to; one that is there already is success. */
export function addChain(where: ChainName): Request {
  const { family, table: chainTable, name } = where;
  const values = { table: chainTable, name };
  const what = `add chain ${describeChain(where)}`;
  return request('NFT_MSG_NEWCHAIN', abi.NFT_MSG_NEWCHAIN, NLM_F_CREATE, family, chain, values, what);
}

/** The request for one table; ENOENT where there is none. */
export function getTable(family: number, name: string): Request {
  const what = `get table ${FAMILY_NAMES[family] ?? family} ${name}`;
  return request('NFT_MSG_GETTABLE', abi.NFT_MSG_GETTABLE, 0, family, table, { name }, what);
}

/** The flags (NFT_TABLE_F_*) in a NFT_MSG_NEWTABLE answer. Throws {@link WireError}. */
export function decodeTableFlags(answer: Uint8Array): number {
  return table.decode(answer.subarray(4)).flags ?? 0;
}

/** The request for every rule of a chain, for a dump. */
export function listRulesOf(where: ChainName): Request {
  const { family, table: ruleTable, name } = where;
  const values = { table: ruleTable, chain: name };
  const what = `list chain ${describeChain(where)}`;
  return request('NFT_MSG_GETRULE', abi.NFT_MSG_GETRULE, 0, family, rule, values, what);
}

/** The expressions of the rule in a NFT_MSG_NEWRULE answer, in order. Throws {@link WireError}. */
export function decodeExpressions(answer: Uint8Array): Expression[] {
  const { expressions = [] } = rule.decode(answer.subarray(4));
  return expressions.map(({ name = '', data = new Uint8Array(0) }) => ({ name, data }));
}

/** Puts a rule before all others of a chain, with a comment that `nft list` and `iptables -S` show. Not idempotent. */
export function insertRule(where: ChainName, expressions: readonly Expression[], comment: string): Request {
  const { family, table: ruleTable, name } = where;
  const values = { table: ruleTable, chain: name, expressions, userData: encodeComment(comment) };
  const what = `insert rule into ${describeChain(where)}`;
  return request('NFT_MSG_NEWRULE', abi.NFT_MSG_NEWRULE, NLM_F_CREATE, family, rule, values, what);
}
