import { describe, expect, test } from 'vitest';
import { parseNetworkConfig } from '../../src/cni/config.ts';
import type { Command } from '../../src/cni/environment.ts';
import { formatPrefix } from '../../src/ip/address.ts';
import { cniErrorOf } from '../support/cni.ts';

const BASE = { cniVersion: '1.1.0', name: 'net', type: 'plumb', ipam: {} };
type Keys = Record<string, unknown>;
const parse = (keys: Keys, command: Command = 'ADD') =>
  parseNetworkConfig(JSON.stringify({ ...BASE, ...keys }), command).bandwidth;
const given = (bandwidth: unknown): Keys => ({ runtimeConfig: { bandwidth } });

const INGRESS = { ingressRate: 1000, ingressBurst: 2000 };
const EGRESS = { egressRate: 3000, egressBurst: 4000 };

describe('limits', () => {
  test('of the entry, of the runtime, in each direction', () => {
    expect(parse(INGRESS)).toEqual({ ingress: { rate: 1000, burst: 2000 } });
    expect(parse(given({ ...INGRESS, ...EGRESS }))).toEqual({
      ingress: { rate: 1000, burst: 2000 },
      egress: { rate: 3000, burst: 4000 },
    });
  });
  test.each([
    {},
    { ingressRate: 0, ingressBurst: 0, egressRate: null, egressBurst: null },
    { unshapedSubnets: ['192.0.2.0/24'] },
    given(null),
    given({}),
    given({ ingressRate: 0, ingressBurst: 0 }),
  ])('there are none: %j', (keys) => {
    expect(parse(keys)).toBeUndefined();
  });
  test('the entry counts before the runtime, each direction and the subnets for themselves', () => {
    const runtime = given({ egressRate: 5000, egressBurst: 6000, ingressRate: 7000, ingressBurst: 8000 });
    const zero = { egressRate: 0, egressBurst: 0 };
    const bandwidth = parse({ ...INGRESS, ...zero, unshapedSubnets: ['192.0.2.0/24'], ...runtime });
    expect(bandwidth).toMatchObject({
      ingress: { rate: 1000, burst: 2000 },
      egress: { rate: 5000, burst: 6000 },
      subnets: { shaped: false },
    });
    const shaped = given({ ...INGRESS, shapedSubnets: ['2001:db8::/32'] });
    expect(parse({ unshapedSubnets: ['192.0.2.0/24'], ...shaped })?.subnets?.shaped).toBe(false);
  });
  test('keys of the runtime are matched without regard to case, the exact spelling first', () => {
    const keys = { IngressRate: 9, INGRESSBURST: 10, ingressRate: 1000, UnshapedSubnets: ['192.0.2.0/24'] };
    expect(parse({ runtimeConfig: { Bandwidth: keys } })).toMatchObject({
      ingress: { rate: 1000, burst: 10 },
      subnets: { shaped: false },
    });
  });
  test('subnets of both families, host bits or not', () => {
    const { subnets } =
      parse({ ...EGRESS, shapedSubnets: ['192.0.2.9/24', '2001:DB8::/32', '0.0.0.0/0'] }) ?? {};
    expect(subnets?.shaped).toBe(true);
    expect(subnets?.prefixes.map(formatPrefix)).toEqual(['192.0.2.9/24', '2001:db8::/32', '0.0.0.0/0']);
  });
  test.each([
    [8, 1],
    [100_000_000_000, 2_147_483_647],
    [Number.MAX_SAFE_INTEGER, 34_359_738_360],
  ])('B76: a rate of %d with a burst of %d', (egressRate, egressBurst) => {
    expect(parse({ egressRate, egressBurst })).toEqual({ egress: { rate: egressRate, burst: egressBurst } });
  });
});

describe('what is refused', () => {
  const RATES = ['9007199254740992', '9007199254740993', '1e300', '-1', '0.5', '7', '"1000"', 'true', '[]'];
  const BURSTS = ['34359738368', '34359738361', '9007199254740992', '-1', '0.5', '"1000"', '{}'];
  const refused = (keys: string): string => {
    const error = cniErrorOf(() =>
      parseNetworkConfig(JSON.stringify(BASE).replace('"net"', `"net",${keys}`), 'ADD'),
    );
    expect(error.code).toBe(7);
    return error.message;
  };
  test.each(RATES)('B76: a rate of %s', (rate) => {
    expect(refused(`"ingressRate":${rate},"ingressBurst":1000`)).toMatch(
      /: ingressRate: .*allowed: a whole number of bits per second from 8/,
    );
    expect(refused(`"runtimeConfig":{"bandwidth":{"EgressRate":${rate},"egressBurst":1000}}`)).toContain(
      'runtimeConfig.bandwidth.egressRate',
    );
  });
  test.each(BURSTS)('B76: a burst of %s', (burst) => {
    expect(refused(`"egressRate":1000,"egressBurst":${burst}`)).toMatch(
      /: egressBurst: .*from 1 to 34359738360/,
    );
  });
  test.each([
    [{ ingressRate: 1000 }, 'ingressRate: 1000 is not allowed; allowed: a rate with ingressBurst'],
    [{ ingressRate: 1000, ingressBurst: 0 }, 'ingressRate: 1000'],
    [{ egressBurst: 1000 }, 'egressBurst: 1000 is not allowed; allowed: a burst with egressRate'],
    [given({ egressBurst: 1000 }), 'runtimeConfig.bandwidth.egressBurst: 1000'],
    // Each block for itself.
    [{ ingressRate: 1000, ...given({ ingressBurst: 1000 }) }, 'ingressRate: 1000'],
    [
      { ...INGRESS, shapedSubnets: ['::/0'], unshapedSubnets: ['::/0'] },
      'shapedSubnets: a list is not allowed',
    ],
    [{ unshapedSubnets: ['192.0.2.0'] }, 'unshapedSubnets[0]: "192.0.2.0" is not allowed'],
    [{ shapedSubnets: '192.0.2.0/24' }, 'shapedSubnets: "192.0.2.0/24"'],
    [{ shapedSubnets: [1] }, 'shapedSubnets[0]: 1'],
    [given({ shapedSubnets: ['x/1'] }), 'runtimeConfig.bandwidth.shapedSubnets[0]: "x/1"'],
    [given([]), 'runtimeConfig.bandwidth: []'],
    [{ ingresRate: 1000, ingressBurst: 1000 }, 'ingresRate: unknown key; did you mean "ingressRate"?'],
    [{ IngressRate: 1000, ingressBurst: 1000 }, 'IngressRate: unknown key; did you mean "ingressRate"?'],
    [{ unshapedSubnet: [] }, 'unshapedSubnet: unknown key; did you mean "unshapedSubnets"?'],
  ])('%j', (keys, message) => {
    const error = cniErrorOf(() => parse(keys));
    expect(error.code).toBe(7);
    expect(error.message).toContain(message);
  });
  test('DEL goes on without it', () => {
    expect(parse({ ingressRate: 1000, ...EGRESS, egressBurst: -1 }, 'DEL')).toBeUndefined();
    expect(parse({ ...EGRESS, ...given({ ingressRate: 'x' }) }, 'DEL')).toMatchObject({
      egress: { rate: 3000 },
    });
    expect(parse({ ...EGRESS, shapedSubnets: ['x'] }, 'DEL')).toEqual({
      egress: { rate: 3000, burst: 4000 },
    });
  });
});
