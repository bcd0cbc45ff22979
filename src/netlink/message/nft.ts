import * as abi from '../abi/nf_tables.ts';
import { WireError } from '../errors.ts';
import type { Request } from '../request.ts';
import { attr, attributes, listOf, nested, splitAttributes } from '../wire/attributes.ts';
import { be32, be64, bytes, lazy, string } from '../wire/value.ts';
import type { NftExpression } from './nft-expression.ts';
import { nftExpression } from './nft-expression-codec.ts';
import { flagNames } from './nft-kernel-names.ts';
import {
  bitsOf,
  familyOf,
  given,
  hookName,
  hookNumber,
  type NftFamily,
  type NftHook,
  oneOf,
} from './nft-names.ts';
import { type NftRuleVerb, type NftVerb, named, nftRequest } from './nft-request.ts';
import { decodeNotes, encodeNotes, type NftNotes } from './nft-user-data.ts';

// Tables, chains and rules: NFTA_*, <linux/netfilter/nf_tables.h>. Everything that is a number is in network order;
// attributes stand in the order in which nft sends them.
const hookCodec = lazy(() =>
  attributes({
    hooknum: attr(abi.NFTA_HOOK_HOOKNUM, be32),
    priority: attr(abi.NFTA_HOOK_PRIORITY, be32),
    device: attr(abi.NFTA_HOOK_DEV, string),
    devices: nested(abi.NFTA_HOOK_DEVS, listOf(abi.NFTA_DEVICE_NAME, string, 'plain')),
  }),
);
const tableCodec = lazy(() =>
  attributes({
    name: attr(abi.NFTA_TABLE_NAME, string),
    flags: attr(abi.NFTA_TABLE_FLAGS, bitsOf(flagNames().NFT_TABLE_F_)),
    handle: attr(abi.NFTA_TABLE_HANDLE, be64),
    use: attr(abi.NFTA_TABLE_USE, be32),
    userData: attr(abi.NFTA_TABLE_USERDATA, bytes),
  }),
);
const chainCodec = lazy(() =>
  attributes({
    table: attr(abi.NFTA_CHAIN_TABLE, string),
    handle: attr(abi.NFTA_CHAIN_HANDLE, be64),
    name: attr(abi.NFTA_CHAIN_NAME, string),
    type: attr(abi.NFTA_CHAIN_TYPE, string),
    policy: attr(abi.NFTA_CHAIN_POLICY, oneOf(['drop', 'accept'])),
    hook: nested(abi.NFTA_CHAIN_HOOK, hookCodec),
    use: attr(abi.NFTA_CHAIN_USE, be32),
    id: attr(abi.NFTA_CHAIN_ID, be32),
    userData: attr(abi.NFTA_CHAIN_USERDATA, bytes),
  }),
);
const ruleCodec = lazy(() =>
  attributes({
    table: attr(abi.NFTA_RULE_TABLE, string),
    chain: attr(abi.NFTA_RULE_CHAIN, string),
    handle: attr(abi.NFTA_RULE_HANDLE, be64),
    position: attr(abi.NFTA_RULE_POSITION, be64),
    expressions: nested(abi.NFTA_RULE_EXPRESSIONS, listOf(abi.NFTA_LIST_ELEM, nftExpression)),
    userData: attr(abi.NFTA_RULE_USERDATA, bytes),
  }),
);

const HEADER = 4;

/** What names a table. */
export interface NftTableRef {
  readonly family: NftFamily;
  readonly name: string;
}

/** A table. */
export interface NftTable extends NftTableRef, NftNotes {
  /** `dormant`: its chains see no packet. `owner`: it goes with the connection that has made it. NFT_TABLE_F_*. */
  readonly flags?: readonly ('dormant' | 'owner' | number)[];
}

/** A table as the kernel has it. */
export interface NftTableInfo extends NftTable {
  /** The kernel's number of it, which is not given again. */
  readonly handle: number;
  /** How many chains, sets and other objects it holds. */
  readonly use: number;
}

/** Where a base chain hangs. */
export interface NftBase {
  /** `filter`, `nat` or `route`. */
  readonly type: string;
  readonly hook: NftHook;
  /** Lower ones come first: of the filters -300 raw, 0 filter; of translations -100 dstnat, 100 srcnat. */
  readonly priority: number;
  /** What becomes of packets that no rule decides about; `accept` unless told. */
  readonly policy?: 'accept' | 'drop' | number;
  /** The interfaces whose packets it sees, in family netdev and at hook ingress. */
  readonly devices?: readonly string[];
}

/** What names a chain. */
export interface NftChainRef {
  readonly family: NftFamily;
  readonly table: string;
  readonly name: string;
}

/** A chain: a base chain, or without `base` one that rules lead to. */
export interface NftChain extends NftChainRef, NftNotes {
  readonly base?: NftBase;
  /** Unique in its transaction, for verdicts that lead to it by `chainId`. */
  readonly id?: number;
}

/** A chain as the kernel has it. */
export interface NftChainInfo extends NftChain {
  readonly handle: number;
  /** How many rules it has, and how many rules and elements lead to it. */
  readonly use: number;
}

/** What names the rules of a chain. */
export interface NftRulesRef {
  readonly family: NftFamily;
  readonly table: string;
  readonly chain: string;
}

/** A rule. */
export interface NftRule extends NftRulesRef, NftNotes {
  readonly expressions: readonly NftExpression[];
}

/** A rule as the kernel has it. */
export interface NftRuleInfo extends NftRule {
  /** The kernel's number of it, which is not given again. */
  readonly handle: number;
}

/** The request that does something to a table, for {@link commitNft}. To delete one deletes all that is in it. */
export function nftTableRequest(verb: NftVerb, table: NftTable): Request {
  const { family, name, flags = [] } = table;
  const what = `${verb} table ${family} ${name}`;
  const body = verb === 'add' || verb === 'create' ? { name, flags, userData: encodeNotes(table) } : { name };
  return nftRequest(verb, 'TABLE', family, tableCodec.encode({ ...body, name: named(name, what) }), what);
}

/** The request that does something to a chain, for {@link commitNft}. EBUSY to delete one that rules or elements lead to. */
export function nftChainRequest(verb: NftVerb, chain: NftChain): Request {
  const { family, table, name, base, id } = chain;
  const what = `${verb} chain ${family} ${table} ${name}`;
  const body = { table: named(table, what), name: named(name, what) };
  const whole =
    verb === 'add' || verb === 'create'
      ? { ...body, id, userData: encodeNotes(chain), ...(base === undefined ? {} : encodeBase(family, base)) }
      : body;
  return nftRequest(verb, 'CHAIN', family, chainCodec.encode(whole), what);
}

function encodeBase(family: NftFamily, { type, hook, priority, policy, devices = [] }: NftBase) {
  const [device, ...others] = devices;
  return {
    type,
    policy,
    hook: {
      hooknum: hookNumber(family, hook),
      priority: priority >>> 0,
      ...(others.length === 0 ? { device } : { devices }),
    },
  };
}

/** The request that deletes all rules of a chain, for {@link commitNft}. */
export function nftFlushChainRequest(chain: NftChainRef): Request {
  const { family, table, name } = chain;
  const what = `flush chain ${family} ${table} ${name}`;
  const body = { table: named(table, what), chain: named(name, what) };
  return nftRequest('delete', 'RULE', family, ruleCodec.encode(body), what);
}

/**
 * The request that adds a rule, for {@link commitNft}: at the end (`add`) or at the beginning (`insert`) of its chain;
 * given the handle of another rule, right behind (`add`) or right before (`insert`) that one.
 */
export function nftRuleRequest(verb: 'add' | 'insert', rule: NftRule, position?: number): Request;
/** The request that puts a rule in the place of the one with that handle. */
export function nftRuleRequest(verb: 'replace', rule: NftRule, handle: number): Request;
/** The request that deletes the rule with that handle. */
export function nftRuleRequest(verb: 'delete' | 'destroy', rule: NftRulesRef, handle: number): Request;
export function nftRuleRequest(verb: NftRuleVerb, rule: NftRulesRef | NftRule, handle?: number): Request {
  const { family, table, chain } = rule;
  const at = handle === undefined ? '' : ` handle ${handle}`;
  const what = `${verb} rule ${family} ${table} ${chain}${at}`;
  const body = { table: named(table, what), chain: named(chain, what) };
  const adds = verb === 'add' || verb === 'insert';
  // Without a handle, a deletion would be that of all rules.
  const place = adds ? { position: handle } : { handle: named(handle, what) };
  const content =
    'expressions' in rule && verb !== 'delete' && verb !== 'destroy'
      ? { expressions: rule.expressions, userData: encodeNotes(rule) }
      : {};
  return nftRequest(verb, 'RULE', family, ruleCodec.encode({ ...body, ...place, ...content }), what);
}

/** The request for one table, or, for a dump, for those of a family or all. */
export function getTables(family?: NftFamily, name?: string): Request {
  const what = name === undefined ? 'list tables' : `get table ${family} ${name}`;
  return nftRequest('get', 'TABLE', family, tableCodec.encode({ name }), what);
}

/** The request for one chain, or, for a dump, for those of a family or all. */
export function getChains(family?: NftFamily, table?: string, name?: string): Request {
  const what = name === undefined ? 'list chains' : `get chain ${family} ${table} ${name}`;
  return nftRequest('get', 'CHAIN', family, chainCodec.encode({ table, name }), what);
}

/** The request for the rules of a chain, a table, a family or all, for a dump. */
export function getRules(family?: NftFamily, table?: string, chain?: string): Request {
  const what = `list rules ${[family, table, chain].filter((part) => part !== undefined).join(' ')}`.trim();
  return nftRequest('get', 'RULE', family, ruleCodec.encode({ table, chain }), what);
}

function without(attribute: string): never {
  throw new WireError(`an answer of nf_tables without ${attribute}`);
}

/** Decodes the payload of NFT_MSG_NEWTABLE. Throws {@link WireError}. */
export function decodeTable(answer: Uint8Array): NftTableInfo {
  const { name, flags = [], handle = 0, use = 0, userData } = tableCodec.decode(answer.subarray(HEADER));
  return {
    family: familyOf(answer),
    name: name ?? without('NFTA_TABLE_NAME'),
    ...(flags.length === 0 ? {} : { flags }),
    handle,
    use,
    ...decodeNotes(userData),
  };
}

/** Decodes the payload of NFT_MSG_NEWCHAIN. Throws {@link WireError}. */
export function decodeChain(answer: Uint8Array): NftChainInfo {
  const family = familyOf(answer);
  const found = chainCodec.decode(answer.subarray(HEADER));
  const { table, name, handle = 0, use = 0, id, type, hook, policy, userData } = found;
  const base =
    type === undefined || hook?.hooknum === undefined || hook.priority === undefined
      ? undefined
      : {
          type,
          hook: hookName(family, hook.hooknum),
          priority: hook.priority | 0,
          ...given({
            policy,
            devices: hook.devices ?? (hook.device === undefined ? undefined : [hook.device]),
          }),
        };
  return {
    family,
    table: table ?? without('NFTA_CHAIN_TABLE'),
    name: name ?? without('NFTA_CHAIN_NAME'),
    handle,
    use,
    ...given({ base, id }),
    ...decodeNotes(userData),
  };
}

/** Decodes the payload of NFT_MSG_NEWRULE. Throws {@link WireError}. */
export function decodeRule(answer: Uint8Array): NftRuleInfo {
  const { table, chain, handle = 0, expressions = [], userData } = ruleCodec.decode(answer.subarray(HEADER));
  return {
    family: familyOf(answer),
    table: table ?? without('NFTA_RULE_TABLE'),
    chain: chain ?? without('NFTA_RULE_CHAIN'),
    handle,
    expressions,
    ...decodeNotes(userData),
  };
}

/** The chain of the rule in the payload of NFT_MSG_NEWRULE; the rule itself is not decoded. Throws {@link WireError}. */
export function decodeChainOfRule(answer: Uint8Array): string {
  const chain = splitAttributes(answer.subarray(HEADER)).find(({ type }) => type === abi.NFTA_RULE_CHAIN);
  return chain === undefined ? without('NFTA_RULE_CHAIN') : string.decode(chain.data);
}
