import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseCniArgs } from '../../src/cni/cni-args.ts';
import { parseNetworkConfig } from '../../src/cni/config.ts';
import { type Command, parseEnvironment } from '../../src/cni/environment.ts';
import { CniError } from '../../src/cni/error.ts';
import { decodeResult, encodeResult, type Result } from '../../src/cni/result.ts';
import { atLeast, type CniVersion, SUPPORTED_VERSIONS } from '../../src/cni/versions.ts';
import { formatIp, formatPrefix, type IpAddress, networkOf } from '../../src/ip/address.ts';

const version = fc.constantFrom(...SUPPORTED_VERSIONS);
const command = fc.constantFrom<Command>('ADD', 'DEL', 'CHECK', 'GC', 'STATUS');
const u32 = fc.integer({ min: 0, max: 0xffffffff });
/** A record whose keys may each be missing, but are never undefined. */
const some = <T>(arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(arbitraries, { requiredKeys: [] });
const address = fc.oneof(
  u32.map((value): IpAddress => ({ family: 4, value: BigInt(value) })),
  // Above the IPv4-mapped addresses, which are IPv4 once they have been text.
  fc.bigInt({ min: 1n << 64n, max: (1n << 128n) - 1n }).map((value): IpAddress => ({ family: 6, value })),
);
const mac = fc.stringMatching(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
const word = fc.stringMatching(/^[a-z0-9.]{1,15}$/);

const ip = fc.tuple(address, fc.nat({ max: 32 }), fc.boolean()).map(([it, prefixLength, hasGateway]) => ({
  address: formatPrefix({ address: it, prefixLength }),
  ...(hasGateway ? { gateway: formatIp(it) } : {}),
}));
const route = fc
  .tuple(
    address,
    fc.nat({ max: 32 }),
    fc.boolean(),
    some({ mtu: u32, advmss: u32, priority: u32, table: u32, scope: fc.nat({ max: 255 }) }),
  )
  .map(([it, prefixLength, hasGateway, numbers]) => {
    const dst = formatPrefix({ address: networkOf({ address: it, prefixLength }), prefixLength });
    return { dst, ...(hasGateway ? { gw: formatIp(it) } : {}), ...numbers };
  });
const resultInterface = fc
  .tuple(word, some({ mac, mtu: u32.filter((mtu) => mtu > 0), sandbox: word, socketPath: word, pciID: word }))
  .map(([name, rest]) => ({ name, ...rest }));
const words = fc.array(word, { minLength: 1, maxLength: 3 });
const result: fc.Arbitrary<Result> = fc
  .record({
    interfaces: fc.array(resultInterface, { maxLength: 3 }),
    ips: fc.array(ip, { maxLength: 4 }),
    routes: fc.array(route, { maxLength: 4 }),
    dns: some({ nameservers: words, domain: word, search: words, options: words }),
  })
  .map((it) => ({
    ...it,
    ips: it.ips.map((entry, i) => (i < it.interfaces.length ? { ...entry, interface: i } : entry)),
  }));

/** What is left of a result when it is written in a version. */
function carried(it: Result, inVersion: CniVersion): Result {
  if (atLeast(inVersion, '1.1.0')) return it;
  const routes = it.routes.map(({ dst, gw }) => (gw === undefined ? { dst } : { dst, gw }));
  if (atLeast(inVersion, '0.3.0')) {
    const interfaces = it.interfaces.map(({ name, mac: hardware, sandbox }) => ({
      name,
      ...(hardware === undefined ? {} : { mac: hardware }),
      ...(sandbox === undefined ? {} : { sandbox }),
    }));
    return { ...it, interfaces, routes };
  }
  const isOf = (family: 4 | 6) => (text: string) => text.includes(':') === (family === 6);
  const families = ([4, 6] as const).map((family) => {
    const first = it.ips.find((entry) => isOf(family)(entry.address));
    if (first === undefined) return { ips: [], routes: [] };
    const { interface: _, ...bare } = first;
    return { ips: [bare], routes: routes.filter(({ dst }) => isOf(family)(dst)) };
  });
  return {
    interfaces: [],
    ips: families.flatMap((family) => family.ips),
    routes: families.flatMap((family) => family.routes),
    dns: it.dns,
  };
}

test('a result survives encoding and decoding, as far as the version can carry it', () => {
  fc.assert(
    fc.property(result, version, version, (it, written, configured) => {
      const value: unknown = JSON.parse(encodeResult(it, written));
      expect(decodeResult(value, configured)).toEqual(carried(it, written));
    }),
  );
});

/** Lets only CniErrors pass, with a code that the specification has. */
function onlyCniErrors(fn: () => unknown, codes: readonly number[]): void {
  try {
    fn();
  } catch (error) {
    expect(error).toBeInstanceOf(CniError);
    if (error instanceof CniError) expect(codes).toContain(error.code);
  }
}

test('arbitrary JSON as a result gives a result or a CniError', () => {
  const keys = fc.constantFrom('cniVersion', 'interfaces', 'ips', 'routes', 'dns', 'ip4', 'ip6');
  const value = fc.oneof(fc.jsonValue(), fc.dictionary(keys, fc.jsonValue()));
  fc.assert(fc.property(value, version, (it, v) => onlyCniErrors(() => decodeResult(it, v), [7])));
});

const BASE = {
  cniVersion: '1.1.0',
  name: 'n',
  type: 'plumb',
  mtu: 1500,
  dns: { nameservers: ['10.0.0.1'] },
  args: { cni: { ips: ['10.1.0.9'], mac: '02:00:00:00:00:01' } },
  runtimeConfig: {
    ips: ['10.1.0.8'],
    mac: '02:00:00:00:00:02',
    ipRanges: [[{ subnet: '10.9.0.0/24' }]],
    dns: {},
  },
  ipam: {
    type: 'host-local',
    dataDir: '/d',
    subnet: '10.1.0.0/24',
    rangeStart: '10.1.0.5',
    ranges: [[{ subnet: 'fd01::/64', gateway: 'fd01::1' }]],
    routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1', mtu: 1400 }],
    addresses: [{ address: '10.1.0.5/24', gateway: '10.1.0.1' }],
  },
  prevResult: { ips: [{ address: '10.1.0.5/24', interface: 0 }], interfaces: [{ name: 'eth0' }], routes: [] },
  'cni.dev/attachments': [{ containerID: 'a', ifname: 'eth0' }],
};

function paths(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => paths(inner, [...path, key]))];
}

/** `value` with `replacement` at `path`; undefined removes what is there. */
function replaced(value: unknown, path: readonly string[], replacement: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined || typeof value !== 'object' || value === null) return replacement;
  const changed = replaced(Reflect.get(value, key), rest, replacement);
  if (Array.isArray(value)) return value.map((item: unknown, i) => (String(i) === key ? changed : item));
  return { ...value, [key]: changed };
}

const NASTY = [
  undefined,
  null,
  '',
  'x',
  '10.1.0.0/24',
  '::/0',
  -1,
  0,
  1.5,
  1e308,
  true,
  [],
  [[]],
  {},
  'static',
  'lo',
];

test('a good configuration with any one or two values replaced gives a configuration or a CniError', () => {
  const spot = fc.tuple(fc.constantFrom(...paths(BASE)), fc.oneof(fc.constantFrom(...NASTY), fc.jsonValue()));
  fc.assert(
    fc.property(fc.array(spot, { minLength: 1, maxLength: 2 }), command, (spots, c) => {
      const value = spots.reduce((it: unknown, [path, replacement]) => replaced(it, path, replacement), BASE);
      onlyCniErrors(() => parseNetworkConfig(JSON.stringify(value) ?? '', c), [1, 6, 7]);
    }),
    { numRuns: 2000 },
  );
});

test('DEL accepts a good configuration whatever becomes of a value that it can do without', () => {
  const vital = /^(cniVersion|name|ipam|ipam,type|ipam,dataDir)?$/;
  const spot = fc.constantFrom(...paths(BASE).filter((path) => !vital.test(path.join())));
  fc.assert(
    fc.property(spot, fc.oneof(fc.constantFrom(...NASTY), fc.jsonValue()), (path, replacement) => {
      const config = parseNetworkConfig(JSON.stringify(replaced(BASE, path, replacement)), 'DEL');
      expect(config).toMatchObject({ name: 'n', ipam: { type: 'host-local', dataDir: '/d' } });
    }),
    { numRuns: 1000 },
  );
});

test('arbitrary text, arguments and environments give a value or a CniError', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), command, (text, c) =>
      onlyCniErrors(() => parseNetworkConfig(text, c), [1, 6, 7]),
    ),
  );
  fc.assert(fc.property(fc.string(), (text) => onlyCniErrors(() => parseCniArgs(text), [4])));
  const variables = fc.constantFrom('CNI_COMMAND', 'CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH');
  const values = fc.oneof(fc.string({ unit: 'binary' }), command);
  fc.assert(
    fc.property(fc.dictionary(variables, values), (env) => onlyCniErrors(() => parseEnvironment(env), [4])),
  );
});
