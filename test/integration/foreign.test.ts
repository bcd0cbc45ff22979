import { afterEach, beforeEach, expect, test } from 'vitest';
import { forwardingFaults } from '../../plugin/features/firewall.ts';
import { describeChain, foreignFirewalls } from '../../src/nftables/foreign.ts';
import { makeNetns, type Netns, run } from '../support/netns.ts';

let host: Netns;
beforeEach(() => {
  host = makeNetns();
});
afterEach(() => host.remove());

const sh = (script: string): string => run('ip', 'netns', 'exec', host.name, 'sh', '-euc', script);
const faults = (families: readonly (4 | 6)[]): string[] =>
  host.inside(() => forwardingFaults(undefined, families)).map((text) => text.split(' drops')[0] ?? '');
/** Chains that drop, unless one of their rules accepts. */
const doubts = (): string[] =>
  host.inside(() =>
    foreignFirewalls()
      .dropping.filter(({ certain }) => !certain)
      .map(describeChain),
  );

test('where nobody has a firewall there is nothing to say', () => {
  expect(faults([4, 6])).toEqual([]);
  expect(doubts()).toEqual([]);
});

test.each([
  ['', 'certain'],
  ['ct state invalid counter log', 'certain'],
  ['meta l4proto tcp counter reject', 'certain'],
  ['ip saddr 192.0.2.1 accept', 'doubt'],
  ['jump other', 'doubt'],
  ['ip saddr vmap { 192.0.2.1 : accept }', 'doubt'],
])('a chain with policy drop and the rule "%s": %s', (rule, kind) => {
  sh(`
    nft 'add table ip t; add chain ip t other; add chain ip t c { type filter hook forward priority 5; policy drop; }'
    nft 'add chain ip t input { type filter hook input priority 5; policy drop; }'
    ${rule === '' ? '' : `nft 'add rule ip t c ${rule}'`}`);
  expect(faults([4, 6])).toEqual(kind === 'certain' ? ['chain ip t c'] : []);
  expect(doubts()).toEqual(kind === 'doubt' ? ['ip t c'] : []);
  // Nobody of the other family passes there; nor does anybody while the table sleeps.
  expect(faults([6])).toEqual([]);
  sh("nft 'add table ip t { flags dormant; }'");
  expect([...faults([4]), ...doubts()]).toEqual([]);
});

test('a chain of family inet drops both families', () => {
  sh("nft 'add table inet t; add chain inet t c { type filter hook forward priority -200; policy drop; }'");
  for (const family of [4, 6] as const) expect(faults([family])).toEqual(['chain inet t c']);
});

test('what firewalld and iptables-legacy drop cannot be known', () => {
  expect(host.inside(() => foreignFirewalls().firewalld)).toBe(false);
  sh(
    "nft 'add table inet firewalld; add chain inet firewalld filter_FORWARD'; iptables-legacy -P FORWARD DROP",
  );
  expect(faults([4, 6])).toEqual([]);
  expect(host.inside(foreignFirewalls)).toEqual({ dropping: [], firewalld: true });
});
