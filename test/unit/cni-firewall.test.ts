import { expect, test } from 'vitest';
import { parseNetworkConfig } from '../../src/cni/config.ts';

const parse = (more: object, command: 'ADD' | 'DEL' = 'ADD') =>
  parseNetworkConfig(
    JSON.stringify({ cniVersion: '1.1.0', name: 'net', type: 'plumb', ipam: {}, ...more }),
    command,
  );

test('nothing is accepted unless a bit of the mark is named; 0 is one', () => {
  expect(parse({}).firewall).toBeUndefined();
  expect(
    parse({ iptablesAdminChainName: 'CNI-ADMIN', acceptChains: [], backend: 'iptables' }).firewall,
  ).toBeUndefined();
  expect(parse({ markAcceptBit: null, acceptChains: null, firewalldZone: '' }).firewall).toBeUndefined();
  expect(parse({ markAcceptBit: 0 }).firewall).toEqual({ markBit: 0, chains: [] });
});

test('chains are named by family, table and name', () => {
  const acceptChains = ['inet filter forward', 'ip6 filter my-FORWARD'];
  expect(parse({ markAcceptBit: 31, acceptChains, iptablesAdminChainName: 'CNI-ADMIN' }).firewall).toEqual({
    markBit: 31,
    adminChain: 'CNI-ADMIN',
    chains: [
      { family: 'inet', table: 'filter', name: 'forward' },
      { family: 'ip6', table: 'filter', name: 'my-FORWARD' },
    ],
  });
});

test.each([
  [{ markAcceptBit: 32 }, 'markAcceptBit'],
  [{ markAcceptBit: -1 }, 'markAcceptBit'],
  [{ markAcceptBit: '16' }, 'markAcceptBit'],
  [{ markAcceptbit: 16 }, 'markAcceptbit'],
  [{ acceptChains: ['inet filter forward'] }, 'acceptChains'],
  [{ markAcceptBit: 16, acceptChains: ['bridge filter forward'] }, 'acceptChains[0]'],
  [{ markAcceptBit: 16, acceptChains: ['ip filter FORWARD', 'inet filter'] }, 'acceptChains[1]'],
  [{ markAcceptBit: 16, acceptChains: ['inet filter forward now'] }, 'acceptChains[0]'],
  [{ markAcceptBit: 16, iptablesAdminChainName: 'two words' }, 'iptablesAdminChainName'],
  [{ iptablesAdminChainName: '-A' }, 'iptablesAdminChainName'],
  [{ iptablesAdminChainName: 'a'.repeat(29) }, 'iptablesAdminChainName'],
  [{ firewalldZone: 'trusted' }, 'firewalldZone'],
])('%j is refused with its path, and DEL goes on without it', (more, path) => {
  expect(() => parse(more)).toThrow(`invalid network configuration: ${path}: `);
  expect(parse(more, 'DEL').name).toBe('net');
});
