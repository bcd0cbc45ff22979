import { describe, expect, test } from 'vitest';
import { decodeResult, encodeResult, type Result } from '../../src/cni/result.ts';
import { SUPPORTED_VERSIONS } from '../../src/cni/versions.ts';
import { cniErrorOf } from '../support/cni.ts';

const NS = '/run/netns/c1';
const FULL: Result = {
  interfaces: [
    { name: 'host0', mac: '02:00:00:00:00:01', mtu: 1400 },
    {
      name: 'eth0',
      mac: '02:00:00:00:00:02',
      mtu: 1400,
      sandbox: NS,
      socketPath: '/s',
      pciID: '0000:00:1f.6',
    },
  ],
  ips: [
    { address: '10.1.0.2/24', gateway: '10.1.0.1', interface: 1 },
    { address: 'fd01::2/64', gateway: 'fd01::1', interface: 1 },
    { address: '10.2.0.2/24', interface: 1 },
  ],
  routes: [
    { dst: '0.0.0.0/0' },
    { dst: '::/0', gw: 'fd01::1' },
    { dst: '192.0.2.0/24', gw: '10.1.0.1', mtu: 1300, advmss: 1200, priority: 77, table: 123, scope: 0 },
  ],
  dns: { nameservers: ['10.1.0.1'], domain: 'example.test', search: ['a.test'], options: ['ndots:2'] },
};
const EMPTY: Result = { interfaces: [], ips: [], routes: [], dns: {} };

const encoded = (result: Result, version: (typeof SUPPORTED_VERSIONS)[number]): unknown =>
  JSON.parse(encodeResult(result, version));

describe('encoding', () => {
  test.each(['0.1.0', '0.2.0'] as const)('%s has one address of each family, with its routes', (version) => {
    expect(encoded(FULL, version)).toEqual({
      cniVersion: version,
      ip4: {
        ip: '10.1.0.2/24',
        gateway: '10.1.0.1',
        routes: [{ dst: '0.0.0.0/0' }, { dst: '192.0.2.0/24', gw: '10.1.0.1' }],
      },
      ip6: { ip: 'fd01::2/64', gateway: 'fd01::1', routes: [{ dst: '::/0', gw: 'fd01::1' }] },
      dns: FULL.dns,
    });
  });

  const interfaces = [
    { name: 'host0', mac: '02:00:00:00:00:01' },
    { name: 'eth0', mac: '02:00:00:00:00:02', sandbox: NS },
  ];
  const routes = [
    { dst: '0.0.0.0/0' },
    { dst: '::/0', gw: 'fd01::1' },
    { dst: '192.0.2.0/24', gw: '10.1.0.1' },
  ];

  test.each(['0.3.0', '0.3.1', '0.4.0'] as const)('%s says which version an address is', (version) => {
    expect(encoded(FULL, version)).toEqual({
      cniVersion: version,
      interfaces,
      ips: [
        { version: '4', address: '10.1.0.2/24', gateway: '10.1.0.1', interface: 1 },
        { version: '6', address: 'fd01::2/64', gateway: 'fd01::1', interface: 1 },
        { version: '4', address: '10.2.0.2/24', interface: 1 },
      ],
      routes,
      dns: FULL.dns,
    });
  });

  test('1.0.0 does not, and has neither mtu nor the longer routes', () => {
    expect(encoded(FULL, '1.0.0')).toEqual({
      cniVersion: '1.0.0',
      interfaces,
      ips: FULL.ips,
      routes,
      dns: FULL.dns,
    });
  });

  test('1.1.0 has everything', () => {
    expect(encoded(FULL, '1.1.0')).toEqual({ cniVersion: '1.1.0', ...FULL });
  });

  test.each(SUPPORTED_VERSIONS)('%s leaves out what is empty', (version) => {
    expect(encoded(EMPTY, version)).toEqual({ cniVersion: version });
    expect(encoded({ ...EMPTY, dns: { nameservers: [], domain: '' } }, version)).toEqual({
      cniVersion: version,
    });
  });
});

describe('decoding', () => {
  test.each(SUPPORTED_VERSIONS)('an empty result of %s', (version) => {
    expect(decodeResult({}, version)).toEqual(EMPTY);
    expect(decodeResult({ cniVersion: version, dns: {} }, '1.1.0')).toEqual(EMPTY);
  });

  test("a result's own version wins over the configuration's", () => {
    const oldest = {
      cniVersion: '0.2.0',
      ip4: { ip: '10.77.0.2/24', gateway: '10.77.0.1', routes: [{ dst: '0.0.0.0/0' }] },
    };
    expect(decodeResult(oldest, '0.4.0')).toEqual({
      ...EMPTY,
      ips: [{ address: '10.77.0.2/24', gateway: '10.77.0.1' }],
      routes: [{ dst: '0.0.0.0/0' }],
    });
    expect(decodeResult({ ...FULL, cniVersion: '1.1.0' }, '0.1.0')).toEqual(FULL);
  });

  test.each([undefined, null, ''])('cniVersion %j counts as none', (cniVersion) => {
    expect(decodeResult({ cniVersion, ips: [{ address: '10.0.0.2/8' }] }, '1.0.0').ips).toEqual([
      { address: '10.0.0.2/8' },
    ]);
  });

  test("null is absent, as Go programs write it, and unknown keys are somebody else's", () => {
    const value = {
      interfaces: [{ name: 'eth0', mac: '', sandbox: null, mtu: null, colour: 'red' }],
      ips: [
        { address: '10.0.0.2/8', gateway: null, interface: null },
        { address: 'fd00::2/64', gateway: '' },
      ],
      routes: null,
      dns: { nameservers: null, domain: '' },
      sandboxes: 7,
    };
    expect(decodeResult(value, '1.1.0')).toEqual({
      interfaces: [{ name: 'eth0' }],
      ips: [{ address: '10.0.0.2/8' }, { address: 'fd00::2/64' }],
      routes: [],
      dns: {},
    });
  });

  test('a route of another plugin may have host bits', () => {
    expect(decodeResult({ routes: [{ dst: '10.0.0.5/8' }] }, '1.1.0').routes).toEqual([
      { dst: '10.0.0.5/8' },
    ]);
  });

  const MALFORMED: readonly (readonly [string, unknown])[] = [
    ['prevResult', 'nope'],
    ['prevResult', []],
    ['prevResult', 7],
    ['prevResult', null],
    ['prevResult', undefined],
    ['prevResult.cniVersion', { cniVersion: '9.9.9' }],
    ['prevResult.cniVersion', { cniVersion: 1 }],
    ['prevResult.ips', { ips: 'x' }],
    ['prevResult.ips[0].address', { ips: [{}] }],
    ['prevResult.ips[0].address', { ips: [{ address: 'bad' }] }],
    ['prevResult.ips[0].address', { ips: [{ address: '10.0.0.2' }] }],
    ['prevResult.ips[0].gateway', { ips: [{ address: '10.0.0.2/8', gateway: 'fd00::1' }] }],
    ['prevResult.ips[0].interface', { ips: [{ address: '10.0.0.2/8', interface: 0 }] }],
    ['prevResult.ips[0].interface', { ips: [{ address: '10.0.0.2/8', interface: -1 }] }],
    ['prevResult.ips[0].interface', { ips: [{ address: '10.0.0.2/8', interface: 0.5 }] }],
    ['prevResult.interfaces', { interfaces: 7 }],
    ['prevResult.interfaces[0].name', { interfaces: [{}] }],
    ['prevResult.interfaces[0].mtu', { interfaces: [{ name: 'a', mtu: -1 }] }],
    ['prevResult.interfaces[1]', { interfaces: [{ name: 'a' }, null] }],
    ['prevResult.routes[0].dst', { routes: [{ gw: '10.0.0.1' }] }],
    ['prevResult.routes[0].dst', { routes: [{ dst: 'default' }] }],
    ['prevResult.routes[0].gw', { routes: [{ dst: '10.0.0.0/8', gw: 'fd00::1' }] }],
    ['prevResult.routes[0].scope', { routes: [{ dst: '10.0.0.0/8', scope: 256 }] }],
    ['prevResult.dns.search', { dns: { search: 'a' } }],
  ];

  test.each(MALFORMED)('%s of %j is refused by its path', (path, value) => {
    const error = cniErrorOf(() => decodeResult(value, '1.1.0'));
    expect(error.code).toBe(7);
    expect(error.message).toContain(`invalid result: ${path}: `);
  });

  test.each([
    ['prevResult.ips[0].version', '0.4.0', { ips: [{ version: '6', address: '10.0.0.2/8' }] }],
    ['prevResult.ips[0].version', '0.3.0', { ips: [{ version: 4, address: '10.0.0.2/8' }] }],
    ['prevResult.ip4.ip', '0.2.0', { ip4: { ip: 'fd00::2/64' } }],
    ['prevResult.ip6.ip', '0.2.0', { ip6: {} }],
    ['prevResult.ip4.gateway', '0.1.0', { ip4: { ip: '10.0.0.2/8', gateway: 'nope' } }],
    ['prevResult.ip4.routes[0].dst', '0.1.0', { ip4: { ip: '10.0.0.2/8', routes: [{ dst: 5 }] } }],
  ] as const)('%s at %s', (path, version, value) => {
    const error = cniErrorOf(() => decodeResult(value, version));
    expect(error.code).toBe(7);
    expect(error.message).toContain(`invalid result: ${path}: `);
  });

  test('the path begins with what the caller says', () => {
    expect(cniErrorOf(() => decodeResult({ ips: 1 }, '1.1.0', 'host-local')).message).toContain(
      'host-local.ips',
    );
  });
});
