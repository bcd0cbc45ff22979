import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WireError } from '../../src/netlink/errors.ts';
import type * as nl from '../../src/netlink/index.ts';
import {
  decodeChain,
  decodeRule,
  decodeTable,
  nftChainRequest,
  nftRuleRequest,
  nftTableRequest,
} from '../../src/netlink/message/nft.ts';
import { decodeGeneration } from '../../src/netlink/message/nft-batch.ts';
import { nftExpression } from '../../src/netlink/message/nft-expression-codec.ts';
import { enumNames, flagNames } from '../../src/netlink/message/nft-kernel-names.ts';
import {
  decodeElements,
  decodeSet,
  joinNftIntervals,
  nftElementRequest,
  nftInterval,
  nftSetRequest,
} from '../../src/netlink/message/nft-set.ts';

const u8 = fc.integer({ min: 0, max: 255 });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u53 = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const data = fc.uint8Array({ minLength: 1, maxLength: 64 });
const reg = fc.constantFrom(0, 1, 2, 3, 4, 8, 9, 23);
const name = fc.stringMatching(/^[a-zA-Z_][\w./-]{0,30}$/);
const names = enumNames();
const flags = flagNames();

// A number that has a name is read by its name, so that only those beyond stand as numbers.
const oneOf = <const N extends string>(known: readonly N[]) =>
  fc.oneof(fc.constantFrom(...known), fc.integer({ min: known.length, max: 0x7fffffff }));
const bitsOf = <const N extends string>(known: readonly N[]) =>
  fc
    .tuple(fc.subarray([...known]), fc.integer({ min: 0, max: 2 ** (32 - known.length) - 1 }))
    .map(([some, rest]) => (rest === 0 ? some : [...some, rest * 2 ** known.length]));
/** Records in which what is optional is there or not, but never undefined. */
function record<T extends object>(required: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T>;
function record<T extends object, O extends object>(
  required: { [K in keyof T]: fc.Arbitrary<T[K]> },
  optional: { [K in keyof O]: fc.Arbitrary<O[K]> },
): fc.Arbitrary<T & Partial<O>>;
function record(
  required: Record<string, fc.Arbitrary<unknown>>,
  optional: Record<string, fc.Arbitrary<unknown>> = {},
): fc.Arbitrary<object> {
  return fc
    .tuple(fc.record(required), fc.record(optional, { requiredKeys: [] }))
    .map(([all, more]) => ({ ...all, ...more }));
}
const is = <const N extends string>(value: N) => fc.constant(value);

const verdict: fc.Arbitrary<nl.NftVerdict> = record(
  {
    code: fc.oneof(
      fc.constantFrom<nl.NftVerdictCode[]>(
        'accept',
        'drop',
        'stolen',
        'queue',
        'continue',
        'break',
        'jump',
        'goto',
        'return',
      ),
      fc.integer({ min: 4, max: 0x7fffffff }),
    ),
  },
  { chain: name, chainId: u32 },
);
const natRegisters = { protoMin: reg, protoMax: reg, flags: bitsOf(flags.NF_NAT_RANGE_) };

const expressions: Record<string, fc.Arbitrary<nl.NftExpression>> = {
  'meta, load': record({ name: is('meta'), key: oneOf(names.NFT_META_), dreg: reg }),
  'meta, set': record({ name: is('meta'), key: oneOf(names.NFT_META_), sreg: reg }),
  'ct, load': record({ name: is('ct'), key: oneOf(names.NFT_CT_), dreg: reg }, { direction: u8 }),
  'ct, set': record({ name: is('ct'), key: oneOf(names.NFT_CT_), sreg: reg }),
  cmp: record({ name: is('cmp'), sreg: reg, op: oneOf(names.NFT_CMP_), data }),
  range: record({ name: is('range'), sreg: reg, op: oneOf(names.NFT_RANGE_), from: data, to: data }),
  'payload, load': record({
    name: is('payload'),
    base: oneOf(names.NFT_PAYLOAD_),
    offset: u32,
    length: u32,
    dreg: reg,
  }),
  'payload, write': record(
    { name: is('payload'), base: oneOf(names.NFT_PAYLOAD_), offset: u32, length: u32, sreg: reg },
    { csumType: u32, csumOffset: u32, csumFlags: u32 },
  ),
  bitwise: record({ name: is('bitwise'), sreg: reg, dreg: reg, length: u32, mask: data, xor: data }),
  lookup: record(
    { name: is('lookup'), set: name, sreg: reg },
    { dreg: reg, setId: u32, inverted: fc.constant<true>(true) },
  ),
  'immediate, data': record({ name: is('immediate'), dreg: reg, data }),
  'immediate, verdict': record({ name: is('immediate'), verdict }),
  nat: record(
    { name: is('nat'), type: oneOf(names.NFT_NAT_), family: u32 },
    { addrMin: reg, addrMax: reg, ...natRegisters },
  ),
  masq: record({ name: is('masq') }, natRegisters),
  redir: record({ name: is('redir') }, natRegisters),
  fib: record({
    name: is('fib'),
    dreg: reg,
    result: oneOf(names.NFT_FIB_RESULT_),
    flags: bitsOf(flags.NFTA_FIB_F_),
  }),
  counter: record(
    { name: is('counter') },
    { packets: fc.bigInt(0n, 2n ** 64n - 1n), bytes: fc.bigInt(0n, 2n ** 64n - 1n) },
  ),
  reject: record({ name: is('reject'), type: oneOf(names.NFT_REJECT_) }, { code: u8 }),
  unknown: record({ name: is('unknown'), kernelName: fc.constantFrom('limit', 'log', 'match', 'x'), data }),
};
const expression = fc.oneof(...Object.values(expressions));

test.each(Object.entries(expressions))('expression %s survives encoding and decoding', (_, arbitrary) => {
  fc.assert(
    fc.property(arbitrary, (one) => {
      expect(nftExpression.decode(nftExpression.encode(one))).toEqual(one);
    }),
  );
});

const family = fc.constantFrom<nl.NftFamily[]>('inet', 'ip', 'ip6', 'arp', 'bridge', 'netdev');
// Notes are what the comment says, or else a row of others.
const notes: fc.Arbitrary<nl.NftNotes> = fc.oneof(
  record({}, { comment: fc.string({ unit: 'grapheme-ascii', maxLength: 250 }) }),
  record({
    userData: fc.constantFrom(Uint8Array.of(9, 4, 1, 0, 0, 0), Uint8Array.of(9, 0), Uint8Array.of()),
  }),
);
const spread = <A extends object, B extends object>(a: fc.Arbitrary<A>, b: fc.Arbitrary<B>) =>
  fc.tuple(a, b).map(([one, other]): A & B => ({ ...one, ...other }));

test('a table survives encoding and decoding', () => {
  const table = spread(record({ family, name }), notes);
  fc.assert(
    fc.property(table, fc.subarray(['dormant', 'owner'] as const), (one, some) => {
      const whole = some.length === 0 ? one : { ...one, flags: some };
      const { handle, use, ...rest } = decodeTable(nftTableRequest('add', whole).payload);
      expect({ handle, use, rest }).toEqual({ handle: 0, use: 0, rest: whole });
    }),
  );
});

test('a chain survives encoding and decoding', () => {
  const base: fc.Arbitrary<nl.NftBase> = record(
    {
      type: fc.constantFrom('filter', 'nat', 'route'),
      hook: fc.constantFrom<nl.NftHook[]>('ingress', 'egress', 7),
      priority: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    },
    {
      policy: fc.constantFrom<('accept' | 'drop')[]>('accept', 'drop'),
      devices: fc.array(name, { minLength: 1, maxLength: 3 }),
    },
  );
  const chain = spread(record({ family: is('netdev'), table: name, name }, { base, id: u32 }), notes);
  fc.assert(
    fc.property(chain, (one) => {
      const { handle, use, ...rest } = decodeChain(nftChainRequest('add', one).payload);
      expect({ handle, use, rest }).toEqual({ handle: 0, use: 0, rest: one });
    }),
  );
});

test('a rule survives encoding and decoding', () => {
  const rule = spread(
    record({ family, table: name, chain: name, expressions: fc.array(expression, { maxLength: 20 }) }),
    notes,
  );
  fc.assert(
    fc.property(rule, u53, (one, handle) => {
      expect(decodeRule(nftRuleRequest('replace', one, handle).payload)).toEqual({ ...one, handle });
    }),
  );
});

test('a set survives encoding and decoding', () => {
  const type = fc.constantFrom<nl.NftTypeName[]>(
    'ipv4_addr',
    'ipv6_addr',
    'ether_addr',
    'ether_type',
    'inet_proto',
    'inet_service',
    'mark',
    'iface_index',
    'ifname',
  );
  const named = fc.array(type, { minLength: 1, maxLength: 4 });
  // 63 is a type that has no name here.
  const raw = record({ type: fc.constant(63), length: fc.integer({ min: 1, max: 64 }) });
  const set = spread(
    record(
      { family, table: name, name, key: fc.oneof(named, raw), id: u32 },
      {
        data: fc.oneof(named, raw, fc.constant<nl.NftType>(['verdict'])),
        size: u32,
        timeout: u53,
        gcInterval: u32,
        policy: u32,
      },
    ),
    notes,
  );
  const some = fc.subarray(['constant', 'interval', 'timeout', 'eval'] as const);
  fc.assert(
    fc.property(set, some, (one, chosen) => {
      const isConcat = Array.isArray(one.key) && one.key.length > 1 && chosen.includes('interval');
      const all: nl.NftSetFlag[] = [
        ...chosen,
        ...(one.data === undefined ? [] : ['map' as const]),
        ...(isConcat ? ['concat' as const] : []),
      ];
      const order: readonly nl.NftSetFlag[] = flags.NFT_SET_;
      const expected = all.toSorted((a, b) => order.indexOf(a) - order.indexOf(b));
      const {
        handle,
        flags: found = [],
        ...rest
      } = decodeSet(nftSetRequest('add', { ...one, flags: chosen }).payload);
      expect({ handle, found, rest }).toEqual({ handle: 0, found: expected, rest: one });
    }),
  );
});

test('an element survives encoding and decoding', () => {
  const element: fc.Arbitrary<nl.NftElement> = spread(
    spread(
      record(
        { key: data },
        {
          keyEnd: data,
          flags: fc.constantFrom<NonNullable<nl.NftElement['flags']>[]>(
            ['interval_end'],
            ['interval_end', 4],
          ),
          timeout: u53,
          expiration: u53,
          expressions: fc.array(expression, { minLength: 1, maxLength: 3 }),
        },
      ),
      fc.oneof(record({}, { data }), record({ verdict })),
    ),
    notes,
  );
  fc.assert(
    fc.property(family, name, element, (of, set, one) => {
      const { payload } = nftElementRequest('add', { family: of, table: 't', name: set }, one);
      expect(decodeElements(payload)).toEqual([one]);
    }),
  );
});

test('intervals survive being taken apart and joined, in whatever order the kernel lists them', () => {
  const bounds = fc.uniqueArray(fc.integer({ min: 0, max: 0xffff }), { minLength: 2, maxLength: 20 });
  const key = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 0xff);
  fc.assert(
    fc.property(bounds, fc.boolean(), (numbers, reverse) => {
      const sorted = numbers.toSorted((a, b) => a - b);
      const intervals: nl.NftElement[] = [];
      for (let i = 0; i + 1 < sorted.length; i += 2)
        intervals.push({ key: key(sorted[i] ?? 0), keyEnd: key(sorted[i + 1] ?? 0) });
      const apart = intervals.flatMap(({ key: first, keyEnd = first }) => nftInterval(first, keyEnd));
      expect(joinNftIntervals(reverse ? apart.toReversed() : apart)).toEqual(intervals);
    }),
  );
});

test('arbitrary bytes give a value or a WireError, never another exception', () => {
  const decoders = [decodeTable, decodeChain, decodeRule, decodeSet, decodeElements, decodeGeneration];
  const attempt = (decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): void => {
    try {
      decode(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(WireError);
    }
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      for (const decode of [...decoders, nftExpression.decode]) attempt(decode, bytes);
    }),
    { numRuns: 1000 },
  );
  // Bytes that are nearly right reach further.
  const rule = record({ expressions: fc.array(expression, { minLength: 1, maxLength: 5 }) });
  fc.assert(
    fc.property(rule, fc.nat(), u8, (one, at, byte) => {
      const { payload } = nftRuleRequest('add', { family: 'inet', table: 't', chain: 'c', ...one });
      payload[at % payload.length] = byte;
      attempt(decodeRule, payload);
    }),
    { numRuns: 1000 },
  );
});
