import { describe, expect, test } from 'vitest';
import type { RawRange } from '../../src/cni/raw.ts';
import { ConfigError } from '../../src/errors.ts';
import { formatIp, parseIp } from '../../src/ip/address.ts';
import { candidates } from '../../src/ipam/candidates.ts';
import { rangeSets } from '../support/ranges.ts';

function one(spec: RawRange): { start: string; end: string; gateway: string } {
  const range = rangeSets([spec])[0]?.[0];
  if (range === undefined) throw new Error('no range');
  return {
    start: formatIp(range.rangeStart),
    end: formatIp(range.rangeEnd),
    gateway: formatIp(range.gateway),
  };
}

function refusal(...sets: RawRange[][]): string {
  try {
    rangeSets(...sets);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('was accepted');
}

describe('defaults are those of host-local', () => {
  test('IPv4: from the first address to the one before the broadcast address', () => {
    expect(one({ subnet: '10.1.0.0/16' })).toEqual({
      start: '10.1.0.1',
      end: '10.1.255.254',
      gateway: '10.1.0.1',
    });
  });

  test('IPv6: to the very last address', () => {
    expect(one({ subnet: 'fd00:0::0/120' })).toEqual({
      start: 'fd00::1',
      end: 'fd00::ff',
      gateway: 'fd00::1',
    });
  });

  test('bounds and gateway that are given stay as they are', () => {
    const spec = {
      subnet: '10.1.0.0/24',
      rangeStart: '10.1.0.10',
      rangeEnd: '10.1.0.20',
      gateway: '10.1.0.254',
    };
    expect(one(spec)).toEqual({ start: '10.1.0.10', end: '10.1.0.20', gateway: '10.1.0.254' });
  });

  test('B13: .255 and .0 inside a big subnet are good bounds', () => {
    const spec = { subnet: '10.1.0.0/16', rangeStart: '10.1.2.255', rangeEnd: '10.1.3.0' };
    expect(one(spec)).toMatchObject({ start: '10.1.2.255', end: '10.1.3.0' });
  });

  test('B10: a /30 has its gateway and one address', () => {
    expect(one({ subnet: '10.99.0.0/30' })).toEqual({
      start: '10.99.0.1',
      end: '10.99.0.2',
      gateway: '10.99.0.1',
    });
  });
});

describe('refusals name the path and the reason', () => {
  test.each(['10.99.0.0/31', '10.99.0.0/32', 'fd00::/127', 'fd00::/128'])(
    'B10: %s is too small',
    (subnet) => {
      expect(refusal([{ subnet }])).toMatch(
        /^ranges\[0\]\[0\]\.subnet: .*allowed: a network with room for addresses, \/(30|126) or larger$/,
      );
    },
  );

  test.each(['rangeStart', 'rangeEnd', 'gateway'])('B10: %s on the network or broadcast address', (key) => {
    expect(refusal([{ subnet: '10.99.0.0/30', [key]: '10.99.0.3' }])).toBe(
      `ranges[0][0].${key}: "10.99.0.3" is not allowed; allowed: an address that is not the broadcast address`,
    );
    expect(refusal([{ subnet: '10.99.0.0/30', [key]: '10.99.0.0' }])).toBe(
      `ranges[0][0].${key}: "10.99.0.0" is not allowed; allowed: an address that is not the network address`,
    );
  });

  test.each(['192.168.1.1', 'fd00::1'])('B11: gateway %s of another subnet or family', (gateway) => {
    expect(refusal([{ subnet: '10.99.0.0/24', gateway }])).toBe(
      `ranges[0][0].gateway: "${gateway}" is not allowed; allowed: an address in 10.99.0.0/24`,
    );
  });

  test('a subnet with host bits is told the right one', () => {
    expect(refusal([{ subnet: '10.1.2.3/16' }])).toContain('without host bits, here 10.1.0.0/16');
  });

  test.each(['10.1.0.0', '10.1.0.0/33', 'x/24', ''])('%j is no subnet', (subnet) => {
    expect(refusal([{ subnet }])).toContain('ranges[0][0].subnet');
  });

  test('bounds outside the subnet, in the wrong order, or no addresses', () => {
    const subnet = '10.1.0.0/24';
    expect(refusal([{ subnet, rangeStart: '10.2.0.1' }])).toContain(
      'ranges[0][0].rangeStart: "10.2.0.1" is not allowed; allowed: an address in',
    );
    expect(refusal([{ subnet, rangeEnd: 'ten' }])).toContain('rangeEnd: "ten" is not allowed');
    expect(refusal([{ subnet, rangeStart: '10.1.0.9', rangeEnd: '10.1.0.8' }])).toContain('rangeStart');
  });

  test('two families in one set', () => {
    expect(refusal([{ subnet: '10.1.0.0/24' }, { subnet: 'fd00::/64' }])).toMatch(
      /^ranges\[0\]\[1\]\.subnet: .*allowed: IPv4 only, as ranges\[0\]\[0\]/,
    );
  });

  test('overlap within a set and across sets', () => {
    const a = { subnet: '10.1.0.0/24' };
    const b = { subnet: '10.1.0.0/16', rangeStart: '10.1.0.250' };
    expect(refusal([a, b])).toBe('ranges[0][1].subnet: 10.1.0.0/16 overlaps ranges[0][0] (10.1.0.0/24)');
    expect(refusal([a], [b])).toMatch(/^ranges\[1\]\[0\]\.subnet: .* overlaps ranges\[0\]\[0\]/);
    expect(() => rangeSets([a, { subnet: '10.1.0.0/16', rangeStart: '10.1.1.0' }])).not.toThrow();
  });
});

describe('candidates', () => {
  const set = rangeSets([{ subnet: '10.1.0.0/29' }, { subnet: '10.2.0.0/30' }])[0] ?? [];
  const order = (last?: string): string[] =>
    [...candidates(set, last === undefined ? undefined : parseIp(last))].map(({ ip }) => formatIp(ip));

  test('go through all ranges in order, without the gateways', () => {
    expect(order()).toEqual(['10.1.0.2', '10.1.0.3', '10.1.0.4', '10.1.0.5', '10.1.0.6', '10.2.0.2']);
  });

  test('B09: start behind the last one and end with it, round all ranges', () => {
    expect(order('10.1.0.4')).toEqual([
      '10.1.0.5',
      '10.1.0.6',
      '10.2.0.2',
      '10.1.0.2',
      '10.1.0.3',
      '10.1.0.4',
    ]);
    expect(order('10.2.0.2')).toEqual([
      '10.1.0.2',
      '10.1.0.3',
      '10.1.0.4',
      '10.1.0.5',
      '10.1.0.6',
      '10.2.0.2',
    ]);
  });

  test('a last address of another configuration starts at the front', () => {
    expect(order('192.168.0.1')).toEqual(order());
    expect(order('fd00::1')).toEqual(order());
  });
});
