import { mkdtempSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type HostState, hostState } from '../support/host-state.ts';
import { type ManyNetns, makeManyNetns, run } from '../support/netns.ts';
import { EXECUTABLES, isEverything, type Outcome, startPlugin } from '../support/plugin.ts';

// A node that starts up, or that is drained, makes all its calls at once: they share the leases' lock, the kernel's
// lock for links, and the generation of the nftables ruleset.

const PODS = isEverything() ? { plumb: 200, 'plumb-node': 50 } : { plumb: 100, 'plumb-node': 25 };

let pods: ManyNetns;
let dataDir: string;
beforeEach(() => {
  pods = makeManyNetns(PODS.plumb);
  dataDir = mkdtempSync('/run/leases-');
});
afterEach(() => {
  pods.remove();
  rmSync(dataDir, { recursive: true });
});

const config = (): object => ({
  cniVersion: '1.1.0',
  name: 'burst',
  type: 'plumb',
  ipMasq: true,
  ipam: {
    type: 'host-local',
    dataDir,
    // What is tested is that nobody fails, not how fast the machine is.
    lockTimeoutMs: 240_000,
    ranges: [[{ subnet: '10.98.0.0/23' }], [{ subnet: 'fd98::/64' }]],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
  },
});

const addressesOf = ({ stdout }: Outcome): string[] =>
  JSON.parse(stdout).ips.map((ip: { address: string }) => ip.address);
const withoutPrefix = (address: string): string => address.replace(/\/.*/, '');
const host = (): HostState => hostState(dataDir, 'burst');

describe.each(EXECUTABLES)('%s', (name) => {
  const count = PODS[name];
  const call = (command: string, i: number): Promise<Outcome> =>
    startPlugin(name, {
      command,
      containerId: `c${i}`,
      netns: pods.path(i),
      stdin: config(),
    });
  const all = <T>(fn: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => fn(i));
  const NOTHING = { status: 0, stdout: '', stderr: '' };

  test(`${count} ADDs at once, then as many DELs`, async () => {
    const before = host();
    const added = await Promise.all(all((i) => call('ADD', i)));
    for (const { status, stdout, stderr } of added) {
      expect({ status, stderr, stdout }).toEqual({ status: 0, stderr: '', stdout });
    }
    const addresses = added.flatMap(addressesOf).map(withoutPrefix);
    expect(new Set(addresses).size).toBe(2 * count);
    const made = host();
    expect(made.links).toHaveLength(count);
    expect(made.elements).toHaveLength(count);
    expect(run('nft', 'list', 'chain', 'inet', 'plumb', 'postrouting').match(/masquerade/g)).toHaveLength(2);
    expect(made.leases).toEqual([...addresses].sort());
    for (const [i, outcome] of added.entries()) expect(pods.addresses(i)).toEqual(addressesOf(outcome));

    expect(await Promise.all(all((i) => call('DEL', i)))).toEqual(all(() => NOTHING));
    expect(host()).toEqual(before);
  });

  test('a mixture of ADDs and DELs at once, back and forth', async () => {
    const before = host();
    const mixed = Array.from({ length: count / 2 }, (_, i) => i);
    const rounds = [
      (i: number) => (i % 2 === 0 ? 'ADD' : 'DEL'),
      (i: number) => (i % 2 === 0 ? 'DEL' : 'ADD'),
      () => 'DEL',
    ];
    for (const command of rounds) {
      const outcomes = await Promise.all(mixed.map((i) => call(command(i), i)));
      for (const [i, { status, stdout, stderr }] of outcomes.entries()) {
        const expected = command(i) === 'ADD' ? stdout : '';
        expect({ i, status, stderr, stdout }).toEqual({ i, status: 0, stderr: '', stdout: expected });
      }
      const addresses = outcomes.filter(({ stdout }) => stdout !== '').flatMap(addressesOf);
      expect(host().leases).toEqual(addresses.map(withoutPrefix).sort());
    }
    expect(host()).toEqual(before);
  });
});
