import { describe, expect, test } from 'vitest';
import { parseNetworkConfig } from '../../src/cni/config.ts';
import { sysctlFile } from '../../src/sysctl-key.ts';
import { cniErrorOf } from '../support/cni.ts';

type Keys = Record<string, unknown>;
const parse = (keys: Keys, command: 'ADD' | 'DEL' = 'ADD') =>
  parseNetworkConfig(
    JSON.stringify({ cniVersion: '1.1.0', name: 'net', type: 'plumb', ipam: {}, ...keys }),
    command,
  );
const refusal = (keys: Keys): string => {
  const error = cniErrorOf(() => parse(keys));
  expect(error.code).toBe(7);
  return error.message;
};

test.each([
  ['net.core.somaxconn', 'net/core/somaxconn'],
  ['net/core/somaxconn', 'net/core/somaxconn'],
  ['net.ipv4.conf.eth0/100.forwarding', 'net/ipv4/conf/eth0.100/forwarding'],
  ['net/ipv4/conf/eth0.100/forwarding', 'net/ipv4/conf/eth0.100/forwarding'],
  ['net.ipv4.conf.eth0.100.forwarding', 'net/ipv4/conf/eth0.100/forwarding'],
  ['net.ipv6.neigh.eth0.1.2.gc_stale_time', 'net/ipv6/neigh/eth0.1.2/gc_stale_time'],
  ['net.ipv4.conf.IFNAME.arp_filter', 'net/ipv4/conf/IFNAME/arp_filter'],
  ['net.ipv4.tcp.a.b.c', 'net/ipv4/tcp/a/b/c'],
  ...['', '.', '/', 'net..a', 'net/../a', '/net/a', 'net.a.', 'net./..a', 'net.a\0b'].map((key) => [
    key,
    undefined,
  ]),
])('the sysctl key %j is the file %s', (key = '', file) => {
  expect(sysctlFile(key)).toBe(file);
});

test('nothing asked for is nothing', () => {
  const nothing = { sysctl: null, promisc: null, allmulti: null, txQLen: null };
  for (const keys of [{}, nothing, { sysctl: {} }, { args: { cni: nothing } }])
    expect(parse(keys)).not.toHaveProperty('tuning');
});

test('every key, and args.cni before them', () => {
  const top = {
    sysctl: { 'net.core.somaxconn': '500', 'net.ipv4.ip_forward': '1' },
    promisc: true,
    allmulti: true,
    txQLen: 500,
    mtu: 1400,
  };
  const somaxconn = {
    key: 'net.core.somaxconn',
    at: 'sysctl["net.core.somaxconn"]',
    file: 'net/core/somaxconn',
  };
  const forward = {
    key: 'net.ipv4.ip_forward',
    at: 'sysctl["net.ipv4.ip_forward"]',
    file: 'net/ipv4/ip_forward',
  };
  expect(parse(top)).toMatchObject({
    mtu: 1400,
    tuning: {
      sysctls: [
        { ...somaxconn, value: '500' },
        { ...forward, value: '1' },
      ],
      promisc: true,
      allmulti: true,
      txQLen: 500,
    },
  });
  const cni = {
    sysctl: { 'net/core/somaxconn': '600' },
    promisc: false,
    allmulti: false,
    txQLen: 0,
    mtu: 1300,
  };
  expect(parse({ ...top, args: { cni } })).toMatchObject({
    mtu: 1300,
    tuning: {
      sysctls: [
        {
          key: 'net/core/somaxconn',
          at: 'args.cni.sysctl["net/core/somaxconn"]',
          file: somaxconn.file,
          value: '600',
        },
        { ...forward, value: '1' },
      ],
      promisc: false,
      allmulti: false,
      txQLen: 0,
    },
  });
  expect(parse({ args: { cni: { txQLen: 7 } } }).tuning).toEqual({ sysctls: [], txQLen: 7 });
});

describe('refused', () => {
  test.each([
    ['kernel.shmmax', { 'kernel.shmmax': '1' }],
    ['net', { net: '1' }],
    ['net/../kernel/shmmax', { 'net/../kernel/shmmax': '1' }],
    ['/proc/sys/net/core/somaxconn', { '/proc/sys/net/core/somaxconn': '1' }],
    ['', { '': '1' }],
  ])('the sysctl %j', (key, sysctl) => {
    const allowed = "is not allowed; allowed: a sysctl of the container's network such as net.core.somaxconn";
    const at = `sysctl[${JSON.stringify(key)}]: ${JSON.stringify(key)} ${allowed}`;
    expect(refusal({ sysctl })).toBe(`invalid network configuration: ${at}`);
    expect(refusal({ args: { cni: { sysctl } } })).toBe(`invalid network configuration: args.cni.${at}`);
  });

  test.each<[Keys, string]>([
    [
      { sysctl: { 'net.a': 1 } },
      'sysctl["net.a"]: 1 is not allowed; allowed: a string, also where it is a number',
    ],
    [{ sysctl: { 'net.a': null } }, 'sysctl["net.a"]: null is not allowed'],
    [
      { sysctl: { 'net.a': 'x\0' } },
      'sysctl["net.a"]: "x\\u0000" is not allowed; allowed: a string without NUL',
    ],
    [{ sysctl: ['net.a=1'] }, 'sysctl: a list is not allowed; allowed: an object of sysctls'],
    [
      { sysctl: { 'net.a': '1', 'net/a': '2' } },
      'sysctl["net/a"]: "net/a" is not allowed; allowed: one key for each',
    ],
    [{ promisc: 'on' }, 'promisc: "on" is not allowed; allowed: true or false'],
    [{ allmulti: 1 }, 'allmulti: 1 is not allowed; allowed: true or false'],
    [{ txQLen: -1 }, 'txQLen: -1 is not allowed; allowed: a whole number from 0 to 4294967295'],
    [{ txQLen: 4294967296 }, 'txQLen: 4294967296 is not allowed'],
    [{ txQLen: 1.5 }, 'txQLen: 1.5 is not allowed'],
    [{ args: { cni: { promisc: 0 } } }, 'args.cni.promisc: 0 is not allowed'],
    [{ args: { cni: { txQLen: '7' } } }, 'args.cni.txQLen: "7" is not allowed'],
    [{ args: { cni: { mtu: 67 } } }, 'args.cni.mtu: 67 is not allowed'],
    [{ sysctls: {} }, 'sysctls: unknown key; did you mean "sysctl"?'],
    [{ txqlen: 5 }, 'txqlen: unknown key; did you mean "txQLen"?'],
    [{ promiscuous: true, allMulti: true }, 'allMulti: unknown key; did you mean "allmulti"?'],
  ])('%j', (keys, message) => {
    expect(refusal(keys)).toContain(`invalid network configuration: ${message}`);
  });

  test('the MTU of args.cni that is too small for IPv6', () => {
    const ipam = { type: 'host-local', subnet: 'fd00::/64' };
    expect(refusal({ ipam, args: { cni: { mtu: 1279 } } })).toContain('args.cni.mtu: 1279 is not allowed');
  });

  test('but DEL goes on without it', () => {
    const bad = { sysctl: { 'kernel.shmmax': '1' }, promisc: 'on', txQLen: -1, args: { cni: { sysctl: 5 } } };
    expect(parse(bad, 'DEL')).not.toHaveProperty('tuning');
  });
});
