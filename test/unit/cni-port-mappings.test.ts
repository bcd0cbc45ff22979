import { describe, expect, test } from 'vitest';
import { parseNetworkConfig } from '../../src/cni/config.ts';
import { parseIp } from '../../src/ip/address.ts';
import { cniErrorOf } from '../support/cni.ts';

const parse = (portMappings: unknown, more: object = {}) =>
  parseNetworkConfig(
    JSON.stringify({
      cniVersion: '1.1.0',
      name: 'net',
      type: 'plumb',
      ipam: {},
      runtimeConfig: { portMappings },
      ...more,
    }),
    'ADD',
  );

test('keys in any case, protocols in any case, TCP without one; the same one twice counts once', () => {
  const { portMappings } = parse([
    { HostPort: 8080, ContainerPort: 80, Protocol: 'TCP', HostIP: '' },
    { hostPort: 8080, containerPort: 80 },
    { hostPort: 53, containerPort: 5353, protocol: 'udp', hostIP: '2001:db8::1' },
    { hostPort: 53, containerPort: 5353, protocol: 'sctp', hostIP: '0.0.0.0' },
  ]);
  expect(portMappings).toEqual([
    { hostPort: 8080, containerPort: 80, protocol: 6 },
    { hostPort: 53, containerPort: 5353, protocol: 17, hostIp: parseIp('2001:db8::1') },
    { hostPort: 53, containerPort: 5353, protocol: 132, hostIp: parseIp('0.0.0.0') },
  ]);
  expect(parse(null).portMappings).toEqual([]);
  expect(parse(undefined)).toMatchObject({ portMappings: [], snat: true, masqAll: false });
  expect(parse([], { snat: false, masqAll: true })).toMatchObject({ snat: false, masqAll: true });
});

describe('what is not allowed', () => {
  test.each([
    [{ hostPort: 0, containerPort: 80 }, 'runtimeConfig.portMappings[0].hostPort: 0 is not allowed'],
    [
      { hostPort: -1, containerPort: 80 },
      'hostPort: -1 is not allowed; allowed: a whole number from 1 to 65535',
    ],
    [{ hostPort: 80.5, containerPort: 80 }, 'hostPort: 80.5 is not allowed'],
    [{ hostPort: '80', containerPort: 80 }, 'hostPort: "80" is not allowed'],
    [{ containerPort: 80 }, 'hostPort: missing'],
    [{ hostPort: 80 }, 'containerPort: missing'],
    [{ hostPort: 80, containerPort: 65536 }, 'containerPort: 65536 is not allowed'],
    [
      { hostPort: 80, containerPort: 80, protocol: 'icmp' },
      'protocol: "icmp" is not allowed; allowed: tcp, udp or sctp',
    ],
    [{ hostPort: 80, containerPort: 80, hostIP: 'eth0' }, 'hostIP: "eth0" is not allowed'],
  ])('%j', (mapping, message) => {
    const error = cniErrorOf(() => parse([mapping]));
    expect(error.code).toBe(7);
    expect(error.message).toContain(message);
  });

  test('one port for two of the container', () => {
    const two = [
      { hostPort: 80, containerPort: 80 },
      { hostPort: 80, containerPort: 81 },
    ];
    expect(cniErrorOf(() => parse(two)).message).toContain('portMappings[1].hostPort: 80 is not allowed');
  });

  test('words of iptables', () => {
    const error = cniErrorOf(() => parse([], { conditionsV6: ['-d', 'fd00::/8'] }));
    expect(error.code).toBe(7);
    expect(error.message).toMatch(/conditionsV6: a list is not allowed; allowed: nothing: .*iptables/);
    expect(parse([], { conditionsV4: [], conditionsV6: null }).portMappings).toEqual([]);
  });
});
