import { describe, expect, test } from 'vitest';
import { parseNetworkConfig } from '../../src/cni/config.ts';
import type { Command } from '../../src/cni/environment.ts';
import { SUPPORTED_VERSIONS } from '../../src/cni/versions.ts';
import { cniErrorOf } from '../support/cni.ts';
import { rangeSets } from '../support/ranges.ts';

const NET4 = '10.77.0.0/24';
const NET6 = 'fd77::/64';
const IPAM = { type: 'host-local', dataDir: '/d', subnet: NET4, routes: [{ dst: '0.0.0.0/0' }] };
const BASE = { cniVersion: '1.1.0', name: 'net', type: 'plumb', ipam: IPAM };
type Keys = Record<string, unknown>;

/** The good configuration with other keys; undefined leaves one out. */
const text = (top: Keys = {}): string => JSON.stringify({ ...BASE, ...top });
const parse = (top: Keys = {}, command: Command = 'ADD') => parseNetworkConfig(text(top), command);
const errorOf = (top: Keys, command: Command = 'ADD') => cniErrorOf(() => parse(top, command));
/** The same with other keys in ipam. */
const ipam = (keys: Keys): Keys => ({ ipam: { ...IPAM, ...keys } });
const ranges = (...sets: unknown[]): Keys => ipam({ subnet: undefined, ranges: sets });

const NOT_DEL = ['ADD', 'CHECK', 'GC', 'STATUS'] as const;

test('a plain configuration', () => {
  expect(parse()).toEqual({
    cniVersion: '1.1.0',
    name: 'net',
    type: 'plumb',
    ipMasq: false,
    ips: [],
    runDir: '/run/plumb',
    portMappings: [],
    snat: true,
    masqAll: false,
    antiSpoofing: false,
    ingressPolicy: 'open',
    ipam: {
      type: 'host-local',
      dataDir: '/d',
      ranges: rangeSets([{ subnet: NET4 }]),
      routes: [{ dst: '0.0.0.0/0' }],
      raw: IPAM,
    },
  });
});

test('null, and what is empty as Go programs write it, counts as absent', () => {
  const nothing = {
    mtu: null,
    ipMasq: null,
    dns: {},
    mac: '',
    args: null,
    capabilities: null,
    runtimeConfig: null,
  };
  const plain = parse(ipam({ dataDir: null, routes: null }));
  expect(plain.ipam).toMatchObject({ dataDir: '/var/lib/cni/networks', routes: [] });
  const keys = {
    rangeStart: '',
    rangeEnd: null,
    gateway: '',
    ranges: null,
    routes: [{ dst: '::/0', gw: '', mtu: null }],
  };
  const config = parse({ ...nothing, prevResult: null, runDir: '', ...ipam(keys) });
  expect({ ...config, ipam: undefined }).toEqual({ ...parse(), ipam: undefined });
  expect(config.ipam).toMatchObject({ ranges: rangeSets([{ subnet: NET4 }]), routes: [{ dst: '::/0' }] });
});

describe('the document', () => {
  test.each([
    '',
    'hello',
    '{"cniVersion":"1.1.0",',
    `${text()} x`,
    '\0\0\0\0',
    '['.repeat(300_000),
    '{nope',
    '\ufeff{}',
    ' ',
  ])('%.20j is not JSON: code 6 for every command', (input) => {
    for (const command of [...NOT_DEL, 'DEL'] as const) {
      expect(cniErrorOf(() => parseNetworkConfig(input, command)).code).toBe(6);
    }
  });

  test.each(['[]', 'null', '"x"', '7', 'true'])('%s is no object: code 7', (input) => {
    expect(cniErrorOf(() => parseNetworkConfig(input, 'ADD')).code).toBe(7);
  });

  test('a value that is nested deeply is refused, or ignored where nobody looks at it', () => {
    const deep = `${'['.repeat(5000)}${']'.repeat(5000)}`;
    expect(cniErrorOf(() => parseNetworkConfig(deep, 'ADD')).code).toBe(7);
    expect(parseNetworkConfig(text().replace('{', `{"foreign":${deep},`), 'ADD').name).toBe('net');
    expect(
      cniErrorOf(() => parseNetworkConfig(text({ mtu: 'X' }).replace('"X"', deep), 'ADD')).message,
    ).toContain('mtu: a list');
  });
});

describe('cniVersion', () => {
  test.each(SUPPORTED_VERSIONS)('%s', (cniVersion) => {
    expect(parse({ cniVersion }).cniVersion).toBe(cniVersion);
  });

  test.each([undefined, null, ''])('%j means the rules of 0.1.0', (cniVersion) => {
    expect(parse({ cniVersion }).cniVersion).toBe('0.1.0');
  });

  test.each(['99.0.0', '0.3.2', '0.5.0', '1.2.0', '2.0.0', 'abc', '1', '1.1.0.0', '-1.0.0', '1.1.0\n'])(
    '%j: code 1, and the supported ones',
    (cniVersion) => {
      for (const command of [...NOT_DEL, 'DEL'] as const) {
        const error = errorOf({ cniVersion }, command);
        expect(error.code).toBe(1);
        expect(error.details).toBe(`supported versions: ${SUPPORTED_VERSIONS.join(', ')}`);
      }
    },
  );

  test.each([1, {}, [], true])('%j is no string: code 7', (cniVersion) => {
    expect(errorOf({ cniVersion }).code).toBe(7);
  });
});

test.each([undefined, '', null, 7, 'a/b', '../x', '..', '.x', '-x', '_x', 'a b', 'n\u00e9t', 'a\n'])(
  'the network name %j is refused, for DEL too',
  (name) => {
    for (const command of [...NOT_DEL, 'DEL'] as const) {
      const error = errorOf({ name }, command);
      expect(error.code).toBe(7);
      expect(error.message).toContain('name: ');
    }
  },
);

describe('values that are not allowed: code 7, with path and what was there', () => {
  const CASES: readonly (readonly [path: string, top: Keys, part?: string])[] = [
    ['type', { type: undefined }],
    ['type', { type: '' }],
    ['ipam', { ipam: undefined }, 'missing'],
    ['ipam', { ipam: null }, 'null'],
    ['ipam', { ipam: 'host-local' }, '"host-local"'],
    ['ipam', { ipam: [] }],
    ['ipam.type', ipam({ type: undefined }), 'missing'],
    ['ipam.type', ipam({ type: '../host-local' }), '"../host-local"'],
    ['ipam.type', ipam({ type: '..' })],
    ['ipam.type', ipam({ type: '' })],
    ['ipam.type', ipam({ type: 5 }), '5'],
    ['mtu', { mtu: -1 }, '-1'],
    ['mtu', { mtu: 1 }, '1'],
    ['mtu', { mtu: 67 }],
    ['mtu', { mtu: 65536 }],
    ['mtu', { mtu: 1_000_000 }],
    ['mtu', { mtu: '1500' }, '"1500"'],
    ['mtu', { mtu: 1500.5 }, '1500.5'],
    ['mtu', { mtu: 1e300 }],
    ['mtu', { mtu: 1279, ...ipam({ subnet: NET6 }) }, '1279'],
    ['mtu', { mtu: 1279, ...ranges([{ subnet: NET4 }], [{ subnet: NET6 }]) }],
    ['mtu', { mtu: 1279, ipam: { type: 'static', addresses: [{ address: 'fd77::5/64' }] } }],
    ['ipMasq', { ipMasq: 'yes' }, '"yes"'],
    ['ipMasq', { ipMasq: 1 }],
    ['mac', { mac: 'nope' }],
    ['runDir', { runDir: 'relative' }, '"relative"'],
    ['runDir', { runDir: '/a\0b' }],
    ['capabilities', { capabilities: true }],
    ['args', { args: 'x' }],
    ['args.cni', { args: { cni: 'x' } }],
    ['args.cni.ips', { args: { cni: { ips: '10.0.0.1' } } }],
    ['args.cni.ips[1]', { args: { cni: { ips: ['10.77.0.9', 'nope'] } } }, '"nope"'],
    ['args.cni.mac', { args: { cni: { mac: '01:00:5e:00:00:01' } } }],
    ['runtimeConfig', { runtimeConfig: [] }, '[]'],
    ['runtimeConfig.ips[0]', { runtimeConfig: { ips: ['nope'] } }, '"nope"'],
    ['runtimeConfig.ips[0]', { runtimeConfig: { ips: [5] } }, '5'],
    ['runtimeConfig.mac', { runtimeConfig: { mac: 'nope' } }],
    ['runtimeConfig.mac', { runtimeConfig: { MAC: '01:00:5e:00:00:01' } }],
    ['runtimeConfig.mac', { runtimeConfig: { mac: 5 } }],
    ['runtimeConfig.dns.servers', { runtimeConfig: { dns: { Servers: '10.0.0.1' } } }],
    ['runtimeConfig.ipRanges[0]', { runtimeConfig: { ipRanges: [{ subnet: NET4 }] } }],
    ['runtimeConfig.ipRanges[0][0].subnet', { runtimeConfig: { ipRanges: [[{ subnet: '10.1.0.5/16' }]] } }],
    ['dns', { dns: '192.0.2.53' }],
    ['dns.nameservers', { dns: { nameservers: '192.0.2.53' } }],
    ['dns.search[0]', { dns: { search: [7] } }],
    ['dns.domain', { dns: { domain: 7 } }],
    ['ipam.dataDir', ipam({ dataDir: 5 })],
    ['ipam.dataDir', ipam({ dataDir: 'relative/path' })],
    ['ipam.resolvConf', ipam({ resolvConf: 5 })],
    ['ipam.lockTimeoutMs', ipam({ lockTimeoutMs: -1 })],
    ['ipam.subnet', ipam({ subnet: undefined }), 'missing'],
    ['ipam.subnet', ipam({ subnet: '' })],
    ['ipam.subnet', ipam({ subnet: '10.77.0.0' }), '"10.77.0.0"'],
    ['ipam.subnet', ipam({ subnet: '10.77.0.0/33' })],
    ['ipam.subnet', ipam({ subnet: 'nope' })],
    ['ipam.subnet', ipam({ subnet: '10.77.0.5/24' }), 'here 10.77.0.0/24'],
    ['ipam.subnet', ipam({ subnet: '10.77.0.0/31' })],
    ['ipam.subnet', ipam({ subnet: '10.77.0.1/32' })],
    ['ipam.subnet', ipam({ subnet: 'fd77::/127' })],
    ['ipam.subnet', ipam({ subnet: 'fd77::1/128' })],
    ['ipam.subnet', ipam({ subnet: 10 }), '10'],
    ['ipam.rangeStart', ipam({ rangeStart: '10.78.0.5' }), 'an address in 10.77.0.0/24'],
    ['ipam.rangeStart', ipam({ rangeStart: 'nope' })],
    ['ipam.rangeStart', ipam({ rangeStart: 'fd77::5' })],
    ['ipam.rangeStart', ipam({ rangeStart: '10.77.0.0' }), 'network address'],
    ['ipam.rangeStart', ipam({ subnet: undefined, rangeStart: '10.77.0.5' }), 'without ipam.subnet'],
    ['ipam.rangeEnd', ipam({ rangeEnd: '10.78.0.5' })],
    ['ipam.rangeEnd', ipam({ rangeStart: '10.77.0.20', rangeEnd: '10.77.0.10' }), '"10.77.0.10"'],
    ['ipam.gateway', ipam({ gateway: 'nope' })],
    ['ipam.gateway', ipam({ subnet: undefined, gateway: '10.77.0.1', ranges: [[{ subnet: NET4 }]] })],
    ['ipam.ranges', ipam({ ranges: 'x' })],
    ['ipam.ranges[0]', ranges([]), '[]'],
    ['ipam.subnet', ranges(), 'missing'],
    ['ipam.ranges[0]', ranges({ subnet: NET4 }), 'an object'],
    ['ipam.ranges[0][0].subnet', ranges([{}]), 'missing'],
    ['ipam.ranges[0][0].subnet', ranges([{ subnet: 5 }])],
    [
      'ipam.ranges[0][1].subnet',
      ranges([{ subnet: NET4 }, { subnet: '10.77.0.0/25' }]),
      'overlaps ipam.ranges[0][0]',
    ],
    ['ipam.ranges[1][0].subnet', ranges([{ subnet: NET4 }], [{ subnet: NET4 }]), 'overlaps'],
    ['ipam.ranges[0][0].subnet', ipam({ ranges: [[{ subnet: NET4 }]] }), 'overlaps ipam (10.77.0.0/24)'],
    ['ipam.ranges[0][1].subnet', ranges([{ subnet: NET4 }, { subnet: NET6 }]), 'IPv4 only'],
    ['ipam.routes', ipam({ routes: { dst: '0.0.0.0/0' } })],
    ['ipam.routes[0].dst', ipam({ routes: [{ dst: 'default' }] }), '"default"'],
    ['ipam.routes[1].dst', ipam({ routes: [{ dst: '0.0.0.0/0' }, { gw: '10.77.0.1' }] }), 'missing'],
    ['ipam.routes[0].dst', ipam({ routes: [{ dst: '192.0.2.5/24' }] }), 'here 192.0.2.0/24'],
    ['ipam.routes[0].gw', ipam({ routes: [{ dst: '192.0.2.0/24', gw: 'nope' }] })],
    ['ipam.routes[0].gw', ipam({ routes: [{ dst: '192.0.2.0/24', gw: 'fd77::1' }] }), 'an IPv4 address'],
    ...['mtu', 'advmss', 'priority', 'table'].flatMap((key) =>
      [-1, 2 ** 32, 1.5, '7'].map((value): readonly [string, Keys] => [
        `ipam.routes[0].${key}`,
        ipam({ routes: [{ dst: '0.0.0.0/0', [key]: value }] }),
      ]),
    ),
    ['ipam.routes[0].scope', ipam({ routes: [{ dst: '0.0.0.0/0', scope: 256 }] })],
    ['ipam.addresses[0].address', { ipam: { type: 'static', addresses: [{}] } }],
    ['ipam.addresses[0].address', { ipam: { type: 'static', addresses: [{ address: '10.0.0.5' }] } }],
    [
      'ipam.addresses[0].gateway',
      { ipam: { type: 'static', addresses: [{ address: '10.0.0.5/8', gateway: '::1' }] } },
    ],
    [
      'ipam.routes[0].dst',
      { ipam: { type: 'static', addresses: [{ address: '10.0.0.5/8' }], routes: [{ dst: '' }] } },
    ],
  ];

  test.each(CASES.map(([path, top, part = '']) => ({ path, top, part })))(
    '$path: $top',
    ({ path, top, part }) => {
      for (const command of NOT_DEL) {
        const error = errorOf(top, command);
        expect(error.code).toBe(7);
        expect(error.message).toContain(`invalid network configuration: ${path}: `);
        expect(error.message).toContain(part);
      }
    },
  );

  test('B10: a bound on the broadcast address is refused; without bounds a /30 has one address', () => {
    const { code, message } = errorOf(
      ipam({ subnet: '10.99.0.0/30', rangeStart: '10.99.0.3', rangeEnd: '10.99.0.3' }),
    );
    expect(code).toBe(7);
    expect(message).toContain('ipam.rangeStart: "10.99.0.3" is not allowed');
    expect(parse(ipam({ subnet: '10.99.0.0/30' })).ipam?.ranges).toEqual(
      rangeSets([{ subnet: '10.99.0.0/30' }]),
    );
  });

  test.each(['192.168.1.1', 'fd00::1', '10.99.0.0', '10.99.0.255'])(
    'B11: gateway %s of 10.99.0.0/24 is refused',
    (gateway) => {
      const { code, message } = errorOf(ipam({ subnet: '10.99.0.0/24', gateway }));
      expect(code).toBe(7);
      expect(message).toContain(`ipam.gateway: "${gateway}" is not allowed`);
    },
  );

  test('B13: .255 and .0 are good bounds inside a larger subnet', () => {
    const range = { subnet: '10.1.0.0/16', rangeStart: '10.1.2.255', rangeEnd: '10.1.3.0' };
    expect(parse(ipam(range)).ipam?.ranges).toEqual(rangeSets([range]));
  });

  test('the error keeps a long value short', () => {
    expect(errorOf({ dns: 'x'.repeat(100_000) }).message.length).toBeLessThan(300);
  });

  test('the whole text of an error', () => {
    expect(errorOf(ranges([{ subnet: 'nope' }])).message).toBe(
      'invalid network configuration: ipam.ranges[0][0].subnet: "nope" is not allowed; ' +
        'allowed: a network in CIDR notation such as 10.1.0.0/16',
    );
  });
});

describe('mtu', () => {
  test.each([68, 1279, 1500, 65_535])('%d', (mtu) => {
    expect(parse({ mtu }).mtu).toBe(mtu);
  });

  test('0 means the default', () => {
    expect(parse({ mtu: 0 })).not.toHaveProperty('mtu');
    expect(parse({ mtu: 0, ...ipam({ subnet: NET6 }) })).not.toHaveProperty('mtu');
  });

  test('1280 is enough for IPv6', () => {
    expect(parse({ mtu: 1280, ...ipam({ subnet: NET6 }) }).mtu).toBe(1280);
  });
});

describe('ipam', () => {
  test('exactly {} is an interface without addresses', () => {
    expect(parse({ ipam: {} })).not.toHaveProperty('ipam');
  });

  test('loopback needs none', () => {
    expect(parse({ type: 'loopback', ipam: undefined })).not.toHaveProperty('ipam');
  });

  test('another type is left to its plugin, whatever its keys are', () => {
    const foreign = { type: 'whereabouts', ranges: 'mine', subnet: 5, subent: 1, dataDir: false };
    expect(parse({ ipam: foreign }).ipam).toEqual({
      type: 'whereabouts',
      dataDir: '/var/lib/cni/networks',
      ranges: [],
      routes: [],
      raw: foreign,
    });
  });

  test('ranges come from the runtime, then from the single range, then from the list', () => {
    const single = { subnet: NET4, rangeStart: '10.77.0.10', rangeEnd: '10.77.0.20', gateway: '10.77.0.254' };
    const config = parse({
      runtimeConfig: { ipRanges: [[{ subnet: '10.88.0.0/24', rangeStart: '10.88.0.70' }]] },
      ...ipam({
        ...single,
        ranges: [[{ subnet: NET6 }], [{ subnet: '10.90.0.0/24' }, { subnet: '10.91.0.0/24' }]],
      }),
    });
    expect(config.ipam?.ranges).toEqual(
      rangeSets(
        [{ subnet: '10.88.0.0/24', rangeStart: '10.88.0.70' }],
        [single],
        [{ subnet: NET6 }],
        [{ subnet: '10.90.0.0/24' }, { subnet: '10.91.0.0/24' }],
      ),
    );
  });

  test("the runtime's ranges alone will do", () => {
    const config = parse({
      runtimeConfig: { IPRanges: [[{ Subnet: NET4 }]] },
      ...ipam({ subnet: undefined }),
    });
    expect(config.ipam?.ranges).toEqual(rangeSets([{ subnet: NET4 }]));
  });

  test('ranges of one subnet that do not overlap are good', () => {
    const first = { subnet: NET4, rangeStart: '10.77.0.10', rangeEnd: '10.77.0.20' };
    const second = { subnet: NET4, rangeStart: '10.77.0.21', rangeEnd: '10.77.0.30' };
    expect(parse(ranges([first, second])).ipam?.ranges).toEqual(rangeSets([first, second]));
  });

  test('keys of host-local', () => {
    const keys = { resolvConf: '/etc/resolv.conf', lockTimeoutMs: 500, dataDir: '' };
    expect(parse(ipam(keys)).ipam).toMatchObject({
      resolvConf: '/etc/resolv.conf',
      lockTimeoutMs: 500,
      dataDir: '/var/lib/cni/networks',
    });
  });

  test.each(SUPPORTED_VERSIONS)('routes may have every key at %s', (cniVersion) => {
    const route = {
      dst: '192.0.2.0/24',
      gw: '10.77.0.1',
      mtu: 1300,
      advmss: 1200,
      priority: 77,
      table: 4294967295,
      scope: 0,
    };
    expect(parse({ cniVersion, ...ipam({ routes: [route] }) }).ipam?.routes).toEqual([route]);
  });

  test('static', () => {
    const addresses = [{ address: '10.0.0.5/8', gateway: '10.0.0.1' }, { address: 'fd00::5/64' }];
    const config = {
      type: 'static',
      addresses,
      routes: [{ dst: '::/0' }],
      dns: { nameservers: ['10.0.0.1'] },
    };
    expect(parse({ ipam: config }).ipam).toEqual({
      ...config,
      dataDir: '/var/lib/cni/networks',
      ranges: [],
      raw: config,
    });
  });

  test('static may be without addresses: the runtime may give them, here or in CNI_ARGS', () => {
    expect(parse({ ipam: { type: 'static' } }).ipam?.addresses).toEqual([]);
    const config = parse({ ipam: { type: 'static' }, runtimeConfig: { ips: ['10.0.0.5/8'] } });
    expect(config).toMatchObject({ ips: ['10.0.0.5/8'], ipam: { addresses: [] } });
  });

  test.each(['0.1.0', '0.2.0'])('%s has room for one address of each family', (cniVersion) => {
    const two = ranges([{ subnet: NET4 }], [{ subnet: '10.88.0.0/24' }]);
    const { code, message } = errorOf({ cniVersion, ...two });
    expect(code).toBe(7);
    expect(message).toContain(`ipam.ranges[1][0].subnet: "10.88.0.0/24" is not allowed`);
    const addresses = [{ address: 'fd00::5/64' }, { address: 'fd00::6/64' }];
    expect(errorOf({ cniVersion, ipam: { type: 'static', addresses } }).code).toBe(7);
    expect(
      parse({ cniVersion, ...ranges([{ subnet: NET4 }, { subnet: '10.88.0.0/24' }], [{ subnet: NET6 }]) })
        .name,
    ).toBe('net');
    expect(parse({ cniVersion: '0.3.0', ...two }).ipam?.ranges).toHaveLength(2);
  });
});

describe('what the runtime and the user ask for', () => {
  test('addresses: of runtimeConfig, else of args', () => {
    const args = { cni: { ips: ['10.77.0.60'] } };
    expect(parse({ args }).ips).toEqual(['10.77.0.60']);
    expect(parse({ args, runtimeConfig: { ips: [] } }).ips).toEqual(['10.77.0.60']);
    expect(parse({ args, runtimeConfig: { ips: ['10.77.0.9', '10.77.0.9'] } }).ips).toEqual(['10.77.0.9']);
    expect(parse({ args, runtimeConfig: { ips: ['10.77.0.50/24', 'fd77::5'] } }).ips).toEqual([
      '10.77.0.50/24',
      'fd77::5',
    ]);
  });

  test('hardware address: of runtimeConfig, else of args, else the key mac', () => {
    const [one, two, three] = ['02:00:00:00:00:01', '02:00:00:00:00:02', '02:00:00:00:00:03'];
    expect(parse({ mac: one }).mac).toBe(one);
    expect(parse({ mac: one, args: { cni: { mac: two } } }).mac).toBe(two);
    expect(parse({ mac: one, args: { cni: { mac: two } }, runtimeConfig: { mac: three } }).mac).toBe(three);
    expect(parse({ runtimeConfig: { mac: '02-00-00-00-00-AB' } }).mac).toBe('02:00:00:00:00:ab');
  });

  test('dns: what the runtime gives takes the place of what is configured', () => {
    const dns = { nameservers: ['192.0.2.53'], domain: 'example.test', search: ['a.test'] };
    expect(parse({ dns }).dns).toEqual(dns);
    expect(
      parse({ dns, runtimeConfig: { dns: { Servers: ['192.0.2.54'], Options: ['ndots:5'], searches: [] } } })
        .dns,
    ).toEqual({
      nameservers: ['192.0.2.54'],
      domain: 'example.test',
      search: ['a.test'],
      options: ['ndots:5'],
    });
  });

  test('keys are matched without regard to case; the exact spelling wins', () => {
    const mac = '02:00:00:00:00:01';
    expect(parse({ runtimeConfig: { IPs: ['10.77.0.9'], MAC: mac } })).toMatchObject({
      ips: ['10.77.0.9'],
      mac,
    });
    expect(parse({ runtimeConfig: { ips: ['10.77.0.9'], IPS: ['10.77.0.8'] } }).ips).toEqual(['10.77.0.9']);
  });

  test('unknown capabilities are ignored', () => {
    expect(parse({ runtimeConfig: { aliases: ['x'], bandwith: 1, ipz: 5 } })).toEqual(parse());
  });
});

describe('unknown keys', () => {
  test('B88: they are ignored', () => {
    const foreign = {
      keyA: 1,
      ipv6: true,
      tags: [],
      uuid: 'x',
      'cni.dev/mtu': 5,
      'example.com/nmae': 1,
      'ipam.x': 2,
      a: 1,
      loglevel: 'debug',
    };
    expect(parse(foreign)).toEqual(parse());
    expect(parse(ipam({ log: 1, kubernetes: {} })).ipam?.ranges).toEqual(rangeSets([{ subnet: NET4 }]));
  });

  test.each([
    ['mtuu', 'mtu', { mtuu: 1400 }],
    ['MTU', 'mtu', { MTU: 1400 }],
    ['ipMask', 'ipMasq', { ipMask: true }],
    ['ipmasq', 'ipMasq', { ipmasq: true }],
    ['nmae', 'name', { name: undefined, nmae: 'x' }],
    ['iapm', 'ipam', { ipam: undefined, iapm: IPAM }],
    ['runtimeCofnig', 'runtimeConfig', { runtimeCofnig: {} }],
    ['ipam.subent', 'subnet', ipam({ subnet: undefined, subent: NET4 })],
    ['ipam.rangeStrat', 'rangeStart', ipam({ rangeStrat: '10.77.0.5' })],
    ['ipam.datadir', 'dataDir', ipam({ dataDir: undefined, datadir: '/x' })],
    ['ipam.tpye', 'type', ipam({ type: undefined, tpye: 'host-local' })],
    ['ipam.ranges[0][0].gatway', 'gateway', ranges([{ subnet: NET4, gatway: '10.77.0.1' }])],
    ['ipam.routes[0].metric_mtu', undefined, ipam({ routes: [{ dst: '::/0', metric_mtu: 5 }] })],
    ['ipam.routes[0].prioritty', 'priority', ipam({ routes: [{ dst: '::/0', prioritty: 5 }] })],
    ['ipam.adresses', 'addresses', { ipam: { type: 'static', adresses: [] } }],
    ['dns.nameserver', 'nameservers', { dns: { nameserver: ['10.0.0.1'] } }],
  ])('%s: %s was meant', (path, meant, top) => {
    if (meant === undefined) {
      expect(parse(top).name).toBe('net');
      return;
    }
    const error = errorOf(top);
    expect(error.code).toBe(7);
    expect(error.message).toContain(`${path}: unknown key; did you mean "${meant}"?`);
  });

  test('a key is no typo of one that is there', () => {
    expect(parse({ mtuu: 1, mtu: 1400, MTU: 5 }).mtu).toBe(1400);
  });
});

describe('prevResult', () => {
  const prevResult = { cniVersion: '0.2.0', ip4: { ip: '10.77.0.2/24' } };
  const converted = { interfaces: [], ips: [{ address: '10.77.0.2/24' }], routes: [], dns: {} };

  test.each(['ADD', 'CHECK'] as const)('%s gets it in the newest form', (command) => {
    expect(parse({ cniVersion: '0.4.0', prevResult }, command).prevResult).toEqual(converted);
    expect(parse({ prevResult: {} }, command).prevResult).toEqual({ ...converted, ips: [] });
  });

  test.each(['DEL', 'GC', 'STATUS'] as const)('%s has no use for it', (command) => {
    expect(parse({ prevResult }, command)).not.toHaveProperty('prevResult');
  });

  test.each(['nope', [], 7, { ips: 'x' }, { ips: [{ address: 'bad' }] }, { interfaces: 7 }])(
    '%j is refused, and passed over where it has no use',
    (bad) => {
      for (const command of ['ADD', 'CHECK'] as const) {
        const error = errorOf({ prevResult: bad }, command);
        expect(error.code).toBe(7);
        expect(error.message).toContain('prevResult');
      }
      for (const command of ['DEL', 'GC', 'STATUS'] as const) {
        expect(parse({ prevResult: bad }, command)).not.toHaveProperty('prevResult');
      }
    },
  );
});

describe('B19: the list of valid attachments has two names', () => {
  const a = { containerID: 'a', ifname: 'eth0' };
  const b = { containerID: 'b', ifname: 'eth0' };

  test.each(['cni.dev/valid-attachments', 'cni.dev/attachments'])('%s alone', (key) => {
    expect(parse({ [key]: [{ ...a, more: 1 }] }, 'GC').validAttachments).toEqual([a]);
    expect(parse({ [key]: [] }, 'GC').validAttachments).toEqual([]);
    expect(parse({ [key]: null }, 'GC').validAttachments).toEqual([]);
  });

  test('both: whatever either calls valid', () => {
    const both = { 'cni.dev/valid-attachments': [a], 'cni.dev/attachments': [b] };
    expect(parse(both, 'GC').validAttachments).toEqual([a, b]);
  });

  test('neither: undefined, not an empty list', () => {
    expect(parse({}, 'GC')).not.toHaveProperty('validAttachments');
  });

  test.each(['x', [{}], [{ containerID: 'a' }], [{ containerID: 5, ifname: 'eth0' }], ['a'], [null]])(
    '%j is refused by GC; other commands do not look',
    (list) => {
      const error = errorOf({ 'cni.dev/attachments': list }, 'GC');
      expect(error.code).toBe(7);
      expect(error.message).toContain('["cni.dev/attachments"]');
      expect(parse({ 'cni.dev/attachments': list }, 'ADD')).toEqual(parse());
    },
  );
});

describe('DEL', () => {
  test('drops whatever is wrong and keeps what it needs', () => {
    const broken = {
      type: undefined,
      mtu: 'x',
      mac: 7,
      dns: 4,
      ipMasq: 'yes',
      runDir: 5,
      args: 'x',
      runtimeConfig: { ips: ['nope'] },
      prevResult: [],
      mtuu: 5,
      'cni.dev/attachments': 'x',
      ipam: {
        type: 'host-local',
        dataDir: '/d',
        subnet: 5,
        rangeStart: 'x',
        routes: 4,
        ranges: [[4]],
        resolvConf: 1,
      },
    };
    expect(parse(broken, 'DEL')).toEqual({
      cniVersion: '1.1.0',
      name: 'net',
      type: 'plumb',
      ipMasq: false,
      ips: [],
      runDir: '/run/plumb',
      portMappings: [],
      snat: true,
      masqAll: false,
      antiSpoofing: false,
      ingressPolicy: 'open',
      ipam: {
        type: 'host-local',
        dataDir: '/d',
        ranges: [],
        routes: [],
        raw: { type: 'host-local', dataDir: '/d' },
      },
    });
  });

  test.each([undefined, null, {}])('works with ipam %j', (none) => {
    expect(parse({ ipam: none }, 'DEL')).not.toHaveProperty('ipam');
  });

  test('works without ranges and without static addresses', () => {
    expect(parse(ipam({ subnet: undefined }), 'DEL').ipam?.ranges).toEqual([]);
    expect(parse({ ipam: { type: 'static' } }, 'DEL').ipam?.addresses).toEqual([]);
  });

  test('keeps good values next to bad ones', () => {
    const config = parse({ mtu: 1400, ipMasq: true, dns: 5, ...ipam({ gateway: 'nope' }) }, 'DEL');
    expect(config).toMatchObject({
      mtu: 1400,
      ipMasq: true,
      ipam: { ranges: rangeSets([{ subnet: NET4 }]) },
    });
  });

  test.each([
    ['ipam', { ipam: 'x' }],
    ['ipam.type', ipam({ type: '../x' })],
    ['ipam.type', ipam({ type: undefined })],
    ['ipam.dataDir', ipam({ dataDir: 5 })],
    ['name', { name: '../x' }],
  ])('refuses what would make it look in the wrong place: %s', (path, top) => {
    const error = errorOf(top, 'DEL');
    expect(error.code).toBe(7);
    expect(error.message).toContain(`invalid network configuration: ${path}: `);
  });
});
