import { describe, expect, test } from 'vitest';
import { compareIps } from '../../plugin/cli/order.ts';
import { shortIds } from '../../plugin/cli/short-ids.ts';
import { formatAge, formatBytes, formatRate } from '../../plugin/cli/units.ts';
import { parseIp } from '../../src/ip/address.ts';

describe('quantities', () => {
  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [10_240, '10 KiB'],
    [1024 * 1024 - 1, '1 MiB'],
    [5 * 2 ** 30, '5 GiB'],
    [2 ** 63, '8192 PiB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  test.each([
    [8, '8 bit/s'],
    [999_999, '1 Mbit/s'],
    [1_500_000_000, '1.5 Gbit/s'],
  ])('%d bits per second are %s', (bits, text) => {
    expect(formatRate(bits)).toBe(text);
  });

  test.each([
    [-5000, '0s'],
    [999, '0s'],
    [61_000, '1m1s'],
    [3_600_000, '1h'],
    [3_661_000, '1h1m'],
    [3_605_000, '1h'],
    [200_000_000, '2d7h'],
  ])('%d ms are %s', (ms, text) => {
    expect(formatAge(ms)).toBe(text);
  });
});

describe('short ids', () => {
  test('are 12 characters long, or as many as it takes to tell them apart', () => {
    const [a, b, c] = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb1', 'bbbbbbbbbbbbbbbb2'];
    expect([...shortIds([b, a, c, a])]).toEqual([
      [a, 'aaaaaaaaaaaa'],
      [b, b],
      [c, c],
    ]);
  });

  test('one that another begins with is whole, and so is a short one', () => {
    expect([...shortIds(['web', 'aaaaaaaaaaaaaa', 'aaaaaaaaaaaaaabb'])]).toEqual([
      ['aaaaaaaaaaaaaa', 'aaaaaaaaaaaaaa'],
      ['aaaaaaaaaaaaaabb', 'aaaaaaaaaaaaaab'],
      ['web', 'web'],
    ]);
  });
});

test('addresses are ordered by number, IPv4 first', () => {
  const sorted = ['fd00::2', '10.0.0.10', 'fd00::1', '10.0.0.9'].map(parseIp).sort(compareIps);
  expect(sorted).toEqual(['10.0.0.9', '10.0.0.10', 'fd00::1', 'fd00::2'].map(parseIp));
});
