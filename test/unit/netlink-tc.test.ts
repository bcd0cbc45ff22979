import { describe, expect, test } from 'vitest';
import { linkMessage } from '../../src/netlink/message/link.ts';
import {
  bucketTicks,
  CLSACT_INGRESS,
  decodeClass,
  decodeFilter,
  decodeQdisc,
  newClass,
  newFilter,
  newQdisc,
} from '../../src/netlink/message/tc.ts';
import { ifbRequest } from '../../src/netlink/ops/links.ts';
import type { Request } from '../../src/netlink/request.ts';
import { splitAttributes } from '../../src/netlink/wire/attributes.ts';
import { splitMessages } from '../../src/netlink/wire/message.ts';
import { u64 } from '../../src/netlink/wire/value.ts';

// Captured with strace from iproute2 6.1.0 on kernel 6.18; the command stands above the bytes. Of requests for rates the
// tables of transmission times are cut out, 1028 bytes each, and the lengths made fit: tc still sends them.
function payload(text: string): Uint8Array {
  const [message, ...rest] = splitMessages(
    Uint8Array.from(text.trim().split(/\s+/), (byte) => Number.parseInt(byte, 16)),
  );
  if (message === undefined || rest.length > 0) throw new Error('expected one message');
  return message.payload;
}

/** Attributes in the order of their numbers, for the kernel reads them by number; nests as they are marked. */
function sorted(data: Uint8Array, nests: readonly number[]): unknown {
  return splitAttributes(data)
    .map(({ type, data: value }) => ({
      type,
      value: nests[0] === type ? sorted(value, nests.slice(1)) : [...value],
    }))
    .sort((a, b) => a.type - b.type);
}

const HEADER = 20;

/** Whether our request says what tc's does: the same header, the same attributes in TCA_OPTIONS. */
function expectSame(ours: Request, theirs: Uint8Array): void {
  expect(ours.payload.subarray(0, HEADER)).toEqual(theirs.subarray(0, HEADER));
  expect(sorted(ours.payload.subarray(HEADER), [2])).toEqual(sorted(theirs.subarray(HEADER), [2]));
}

describe('what tc asks for', () => {
  test('tc qdisc add dev a0 root handle 1: tbf rate 100mbit burst 250000b limit 500000b', () => {
    const bytes =
      payload(`60 00 00 00 24 00 05 06 42 ef 06 6b 00 00 00 00 00 00 00 00 03 00 00 00 00 00 01 00 ff ff ff ff
      00 00 00 00 08 00 01 00 74 62 66 00 34 00 02 00 28 00 01 00 03 01 00 00 ff ff 00 00 20 bc be 00
      00 00 00 00 00 00 00 00 00 00 00 00 20 a1 07 00 b4 c4 04 00 00 00 00 00 08 00 06 00 90 d0 03 00`);
    expect(decodeQdisc(bytes)).toEqual({
      ifindex: 3,
      handle: 0x10000,
      parent: 0xffffffff,
      kind: 'tbf',
      rate: 12_500_000,
      ticks: 312_500,
      limit: 500_000,
    });
    expect(bucketTicks({ rate: 12_500_000, burst: 250_000 })).toBe(312_500);
    const ours = newQdisc(
      { ifindex: 3 },
      { kind: 'tbf', rate: 12_500_000, burst: 250_000, limit: 500_000 },
      'add',
      'a0',
    );
    expect(decodeQdisc(ours.payload)).toEqual(decodeQdisc(bytes));
    // All but the exponent of the table that is not sent, and the alignment that nobody reads.
    expect(ours.payload).toHaveLength(bytes.length);
  });

  test('tc qdisc add dev i0 root handle 1: tbf rate 100gbit burst 4000000b limit 300000000b', () => {
    const bytes =
      payload(`6c 00 00 00 24 00 05 06 42 ef 06 6b 00 00 00 00 00 00 00 00 04 00 00 00 00 00 01 00 ff ff ff ff
      00 00 00 00 08 00 01 00 74 62 66 00 40 00 02 00 28 00 01 00 03 01 00 00 ff ff 00 00 ff ff ff ff
      00 00 00 00 00 00 00 00 00 00 00 00 00 a3 e1 11 d2 38 00 00 00 00 00 00 08 00 06 00 00 09 3d 00
      0c 00 04 00 00 dd 0e e9 02 00 00 00`);
    const ours = newQdisc(
      { ifindex: 4 },
      { kind: 'tbf', rate: 12_500_000_000, burst: 4_000_000, limit: 300_000_000 },
      'add',
      'i0',
    );
    const { ticks, ...theirs } = decodeQdisc(bytes);
    expect(theirs).toEqual({
      ifindex: 4,
      handle: 0x10000,
      parent: 0xffffffff,
      kind: 'tbf',
      rate: 12_500_000_000,
      limit: 300_000_000,
    });
    // tc reckons the bucket from 32 bits of the rate here; what counts is the burst in bytes beside it.
    expect(ticks).toBe(14_546);
    expect(decodeQdisc(ours.payload)).toEqual({ ...theirs, ticks: 5000 });
    expect(ours.payload).toHaveLength(bytes.length);
  });

  test('tc qdisc add dev a0 clsact', () => {
    const bytes =
      payload(`30 00 00 00 24 00 05 06 42 ef 06 6b 00 00 00 00 00 00 00 00 03 00 00 00 00 00 ff ff f1 ff ff ff
      00 00 00 00 0b 00 01 00 63 6c 73 61 63 74 00 00`);
    expect(decodeQdisc(bytes)).toEqual({
      ifindex: 3,
      handle: 0xffff0000,
      parent: 0xfffffff1,
      kind: 'clsact',
    });
    expect(newQdisc({ ifindex: 3 }, { kind: 'clsact' }, 'add', 'a0').payload).toEqual(bytes);
  });

  test('tc qdisc add dev i0 root handle 1: htb default 30', () => {
    const bytes =
      payload(`48 00 00 00 24 00 05 06 42 ef 06 6b 00 00 00 00 00 00 00 00 04 00 00 00 00 00 01 00 ff ff ff ff
      00 00 00 00 08 00 01 00 68 74 62 00 1c 00 02 00 18 00 02 00 03 00 00 00 0a 00 00 00 30 00 00 00
      00 00 00 00 00 00 00 00`);
    expect(decodeQdisc(bytes)).toEqual({
      ifindex: 4,
      handle: 0x10000,
      parent: 0xffffffff,
      kind: 'htb',
      defaultClass: 0x30,
    });
    expectSame(newQdisc({ ifindex: 4 }, { kind: 'htb', defaultClass: 0x30 }, 'add', 'i0'), bytes);
  });

  test('tc class add dev i0 parent 1: classid 1:31 htb rate 100gbit burst 4000000b quantum 60000', () => {
    const bytes =
      payload(`78 00 00 00 28 00 05 06 42 ef 06 6b 00 00 00 00 00 00 00 00 04 00 00 00 31 00 01 00 00 00 01 00
      00 00 00 00 08 00 01 00 68 74 62 00 4c 00 02 00 0c 00 06 00 00 dd 0e e9 02 00 00 00 0c 00 07 00
      00 dd 0e e9 02 00 00 00 30 00 01 00 03 01 00 00 ff ff 00 00 ff ff ff ff 03 01 00 00 ff ff 00 00
      ff ff ff ff 88 13 00 00 00 00 00 00 60 ea 00 00 00 00 00 00 00 00 00 00`);
    const expected = {
      ifindex: 4,
      parent: 0x10000,
      classid: 0x10031,
      kind: 'htb',
      rate: 12_500_000_000,
      ticks: 5000,
    };
    expect(decodeClass(bytes)).toEqual(expected);
    const spec = { ifindex: 4, parent: 0x10000, classid: 0x10031, rate: 12_500_000_000, burst: 4_000_000 };
    const ours = newClass(spec, 'add', 'i0').payload;
    expect(decodeClass(ours)).toEqual(expected);
    expect(ours).toHaveLength(bytes.length);
  });

  test('tc filter add dev a0 ingress protocol all prio 65535 u32 match u32 0 0 action mirred egress redirect dev i0', () => {
    const bytes =
      payload(`8c 00 00 00 2c 00 05 06 42 ef 06 6b 00 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00 f2 ff ff ff
      00 03 ff ff 08 00 01 00 75 33 32 00 60 00 02 00 38 00 07 00 34 00 01 00 0b 00 01 00 6d 69 72 72
      65 64 00 00 24 00 02 80 20 00 02 00 00 00 00 00 00 00 00 00 04 00 00 00 00 00 00 00 00 00 00 00
      01 00 00 00 04 00 00 00 24 00 05 00 01 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
      00 00 00 00 00 00 00 00 00 00 00 00`);
    const spec = {
      ifindex: 3,
      parent: CLSACT_INGRESS,
      priority: 65_535,
      protocol: 3,
      keys: [{ mask: 0, value: 0, offset: 0 }],
      redirectTo: 4,
    };
    expect(decodeFilter(bytes)).toEqual({ ...spec, handle: 0, kind: 'u32' });
    expectSame(newFilter({ ...spec, keys: [] }, 'a0'), unmarked(bytes));
  });

  test('tc filter add dev i0 parent 1: protocol ipv6 prio 15 u32 match ip6 dst 2001:db8::/48 flowid 1:1', () => {
    const bytes =
      payload(`6c 00 00 00 2c 00 05 06 42 ef 06 6b 00 00 00 00 00 00 00 00 04 00 00 00 00 00 00 00 00 00 01 00
      86 dd 0f 00 08 00 01 00 75 33 32 00 40 00 02 00 08 00 01 00 01 00 01 00 34 00 05 00 01 00 02 00
      00 00 00 00 00 00 00 00 00 00 00 00 ff ff ff ff 20 01 0d b8 18 00 00 00 00 00 00 00 ff ff 00 00
      00 00 00 00 1c 00 00 00 00 00 00 00`);
    const spec = {
      ifindex: 4,
      parent: 0x10000,
      priority: 15,
      protocol: 0x86dd,
      classid: 0x10001,
      keys: [
        { mask: 0xffffffff, value: 0x20010db8, offset: 24 },
        { mask: 0xffff0000, value: 0, offset: 28 },
      ],
    };
    expect(decodeFilter(bytes)).toEqual({ ...spec, handle: 0, kind: 'u32' });
    expectSame(newFilter(spec, 'i0'), bytes);
  });

  test('ip link add i0 mtu 1400 txqueuelen 1000 type ifb', () => {
    const bytes =
      payload(`44 00 00 00 10 00 05 06 41 ef 06 6b 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
      08 00 04 00 78 05 00 00 08 00 0d 00 e8 03 00 00 07 00 03 00 69 30 00 00 0c 00 12 00 07 00 01 00
      69 66 62 00`);
    const ours = ifbRequest({ name: 'i0', mtu: 1400, txQueueLength: 1000 }).payload;
    expect(linkMessage.decode(ours)).toEqual(linkMessage.decode(bytes));
    expect(ours).toHaveLength(bytes.length);
  });
});

describe('what the kernel shows', () => {
  test('tc qdisc show dev i0', () => {
    const bytes =
      payload(`c8 00 00 00 24 00 02 00 42 ef 06 6b 70 2e 00 00 00 00 00 00 04 00 00 00 00 00 01 00 ff ff ff ff
      02 00 00 00 08 00 01 00 74 62 66 00 38 00 02 00 28 00 01 00 00 01 00 00 00 00 00 00 ff ff ff ff
      00 00 00 00 00 00 00 00 00 00 00 00 00 a3 e1 11 87 13 00 00 00 00 00 00 0c 00 04 00 00 dd 0e e9
      02 00 00 00 05 00 0c 00 00 00 00 00 30 00 07 00 14 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00
      00 00 00 00 18 00 03 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 2c 00 03 00
      00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
      00 00 00 00 00 00 00 00`);
    expect(decodeQdisc(bytes)).toEqual({
      ifindex: 4,
      handle: 0x10000,
      parent: 0xffffffff,
      kind: 'tbf',
      rate: 12_500_000_000,
      // The kernel rounds 320 µs down to a tick of 64 ns.
      ticks: 4999,
      limit: 300_000_000,
    });
  });

  test('tc class show dev i0', () => {
    const bytes =
      payload(`ec 00 00 00 28 00 02 00 42 ef 06 6b 93 2e 00 00 00 00 00 00 04 00 00 00 30 00 01 00 ff ff ff ff
      00 00 00 00 08 00 01 00 68 74 62 00 34 00 02 00 30 00 01 00 00 01 00 00 00 00 00 00 20 bc be 00
      00 01 00 00 00 00 00 00 20 bc be 00 b4 c4 04 00 d0 07 00 00 60 ea 00 00 00 00 00 00 00 00 00 00
      48 00 07 00 14 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 18 00 03 00 00 00 00 00
      00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 18 00 04 00 00 00 00 00 00 00 00 00 00 00 00 00
      b4 c4 04 00 d0 07 00 00 2c 00 03 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
      00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 18 00 04 00 00 00 00 00 00 00 00 00
      00 00 00 00 b4 c4 04 00 d0 07 00 00`);
    expect(decodeClass(bytes)).toEqual({
      ifindex: 4,
      parent: 0xffffffff,
      classid: 0x10030,
      kind: 'htb',
      rate: 12_500_000,
      ticks: 312_500,
    });
  });

  test('tc filter show dev a0 ingress: a hash table', () => {
    const bytes =
      payload(`40 00 00 00 2c 00 02 00 42 ef 06 6b 80 2e 00 00 00 00 00 00 03 00 00 00 00 00 00 80 f2 ff ff ff
      00 03 ff ff 08 00 01 00 75 33 32 00 08 00 0b 00 00 00 00 00 0c 00 02 00 08 00 04 00 01 00 00 00`);
    expect(decodeFilter(bytes)).toEqual({
      ifindex: 3,
      parent: CLSACT_INGRESS,
      handle: 0x80000000,
      priority: 65_535,
      protocol: 3,
      kind: 'u32',
    });
  });

  test('tc filter show dev a0 ingress: the filter', () => {
    const bytes =
      payload(`14 01 00 00 2c 00 02 00 42 ef 06 6b 80 2e 00 00 00 00 00 00 03 00 00 00 00 08 00 80 f2 ff ff ff
      00 03 ff ff 08 00 01 00 75 33 32 00 08 00 0b 00 00 00 00 00 e0 00 02 00 24 00 05 00 01 00 01 00
      00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 08 00 02 00
      00 00 00 80 08 00 0b 00 08 00 00 00 a8 00 07 00 a4 00 01 00 0b 00 01 00 6d 69 72 72 65 64 00 00
      44 00 04 00 14 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 14 00 07 00 00 00 00 00
      00 00 00 00 00 00 00 00 00 00 00 00 18 00 03 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
      00 00 00 00 08 00 0a 00 00 00 00 00 48 00 02 00 20 00 02 00 01 00 00 00 00 00 00 00 04 00 00 00
      01 00 00 00 01 00 00 00 01 00 00 00 04 00 00 00 24 00 01 00 02 00 00 00 00 00 00 00 02 00 00 00
      00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00`);
    expect(decodeFilter(bytes)).toEqual({
      ifindex: 3,
      parent: CLSACT_INGRESS,
      handle: 0x80000800,
      priority: 65_535,
      protocol: 3,
      kind: 'u32',
      keys: [{ mask: 0, value: 0, offset: 0 }],
      redirectTo: 4,
    });
  });
});

/** tc marks the options of an action as a nest, and not the nests around them; the kernel does not look at the mark. */
function unmarked(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  for (const at of [HEADER + 8, HEADER + 12, HEADER + 16]) copy[at + 3] = (copy[at + 3] ?? 0) | 0x80;
  return copy;
}

test('64-bit numbers, as far as they are exact', () => {
  expect([...u64.encode(12_500_000_000)]).toEqual([0, 0xdd, 0x0e, 0xe9, 2, 0, 0, 0]);
  expect(u64.decode(u64.encode(Number.MAX_SAFE_INTEGER))).toBe(Number.MAX_SAFE_INTEGER);
  for (const value of [-1, 1.5, 2 ** 53]) expect(() => u64.encode(value)).toThrow('unsigned integer');
  expect(() => u64.decode(Uint8Array.of(0, 0, 0, 0, 0, 0, 32, 0))).toThrow('53 bits');
  expect(() => u64.decode(Uint8Array.of(1, 2))).toThrow('8 bytes');
});

test('a bucket that takes longer to fill than the kernel can show', () => {
  // 2^32 - 1 bytes at 1 Mbit/s.
  expect(bucketTicks({ rate: 125_000, burst: 4_294_967_295 })).toBe(536_870_911_875);
  const ours = newQdisc(
    { ifindex: 3 },
    { kind: 'tbf', rate: 125_000, burst: 4_294_967_295, limit: 1 },
    'replace',
    'a0',
  );
  expect(decodeQdisc(ours.payload).ticks).toBe(0xffffffff);
});
