import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatIp, parseIp } from '../../src/ip/address.ts';
import { WireError } from '../../src/netlink/errors.ts';
import { decodeAddress } from '../../src/netlink/message/address.ts';
import { decodeLink, linkMessage } from '../../src/netlink/message/link.ts';
import { decodeNeighbour } from '../../src/netlink/message/neighbour.ts';
import { decodeRoute, routeMessage } from '../../src/netlink/message/route.ts';
import { decodeAck, encodeMessage, splitMessages } from '../../src/netlink/wire/message.ts';

const u8 = fc.integer({ min: 0, max: 255 });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const v4 = u32.map((value) => formatIp({ family: 4, value: BigInt(value) }));
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const defined = <T extends object>(value: T): T => JSON.parse(JSON.stringify(value));

test('a link survives encoding and decoding', () => {
  const link = fc.record({
    ifname: optional(fc.stringMatching(/^[a-z0-9.]{1,15}$/)),
    mtu: optional(u32),
    master: optional(u32),
    group: optional(u32),
    netNsFd: optional(u32),
  });
  fc.assert(
    fc.property(u8, u32, link, (family, flags, attributes) => {
      const decoded = linkMessage.decode(linkMessage.encode({ family, flags }, attributes));
      expect(decoded.header).toEqual({ family, pad: 0, type: 0, index: 0, flags, change: 0 });
      expect(decoded.attributes).toEqual(defined(attributes));
    }),
  );
});

test('a route survives encoding and decoding', () => {
  const route = fc.record({
    dst: optional(v4),
    oif: optional(u32),
    gateway: optional(v4),
    priority: optional(u32),
  });
  fc.assert(
    fc.property(u8, route, (dstLength, attributes) => {
      const decoded = routeMessage.decode(routeMessage.encode({ dstLength }, attributes));
      expect(decoded.header.dstLength).toBe(dstLength);
      expect(decoded.attributes).toEqual(defined(attributes));
    }),
  );
});

test('arbitrary bytes give a value or a WireError, never another exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (data) => {
      for (const decode of [splitMessages, decodeLink, decodeAddress, decodeRoute, decodeNeighbour]) {
        try {
          decode(data);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }
      try {
        decodeAck({ type: 2, flags: 0x200, sequence: 0, portId: 0, payload: data });
      } catch (error) {
        expect(error).toBeInstanceOf(WireError);
      }
    }),
    { numRuns: 1000 },
  );
});

test('a message that is cut anywhere is a WireError', () => {
  const payload = linkMessage.encode({ index: 3 }, { ifname: 'eth0', mtu: 1500 });
  const whole = encodeMessage({ type: 16, flags: 1, sequence: 1, portId: 0, payload });
  for (let length = 1; length < whole.length; length++) {
    expect(() => splitMessages(whole.subarray(0, length))).toThrow(WireError);
  }
});

test('IP addresses survive formatting and parsing', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), (value) => {
      fc.pre(value >> 32n !== 0xffffn);
      expect(parseIp(formatIp({ family: 6, value }))).toEqual({ family: 6, value });
    }),
  );
  expect(formatIp({ family: 6, value: 1n })).toBe('::1');
  expect(parseIp('fd99:0:0::0:1')).toEqual(parseIp('FD99::1'));
  for (const bad of ['1.2.3', '01.2.3.4', '256.1.1.1', '1::2::3', '12345::', ':::', '', 'fe80::1%eth0']) {
    expect(parseIp(bad)).toBeUndefined();
  }
});
