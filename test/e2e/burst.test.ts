import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ManyNetns, makeManyNetns, run } from '../support/netns.ts';
import { EXECUTABLES, type Outcome, startPlugin } from '../support/plugin.ts';

// A node that starts up, or that is drained, makes all its calls at once: they share the leases' lock, the kernel's
// lock for links, and the generation of the nftables ruleset.

const PODS = { plumb: 200, 'plumb-node': 50 } as const;

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
    // Half of the default: that no call fails shows that none has to wait for nearly as long as it may.
    lockTimeoutMs: 10_000,
    ranges: [[{ subnet: '10.98.0.0/23' }], [{ subnet: 'fd98::/64' }]],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
  },
});

/** All that ADD puts into the host's namespace, in the form of this test. */
function host(): {
  links: string[];
  routes: string[];
  elements: number;
  leases: string[];
  records: string[];
} {
  const list = (...args: string[]): string[] =>
    run('ip', ...args)
      .split('\n')
      .filter((line) => line.includes('plumb'))
      .sort();
  const files = (folder: string): string[] => {
    try {
      return readdirSync(folder).sort();
    } catch {
      return [];
    }
  };
  return {
    links: list('-o', 'link'),
    routes: [...list('-4', 'route'), ...list('-6', 'route')],
    elements: run('nft', 'list', 'ruleset').match(/"plumb[0-9a-f]{10}"/g)?.length ?? 0,
    leases: files(`${dataDir}/burst`).filter((name) => /^(10\.98|fd98)/.test(name)),
    records: files('/run/plumb/burst'),
  };
}

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
    const addresses = added.flatMap(({ stdout }) =>
      JSON.parse(stdout).ips.map((ip: { address: string }) => ip.address.replace(/\/.*/, '')),
    );
    expect(new Set(addresses).size).toBe(2 * count);
    const made = host();
    expect(made.links).toHaveLength(count);
    expect(made.elements).toBe(count);
    expect(made.leases).toEqual([...addresses].sort());
    for (const [i, { stdout }] of added.entries()) {
      const ours = JSON.parse(stdout).ips.map((ip: { address: string }) => ip.address);
      expect(pods.addresses(i)).toEqual(ours);
    }

    expect(await Promise.all(all((i) => call('DEL', i)))).toEqual(all(() => NOTHING));
    expect(host()).toEqual(before);
  });

  test(`${count / 2} ADDs and ${count / 2} DELs at once, back and forth`, async () => {
    const before = host();
    const half = (i: number, first: string, second: string): string => (i % 2 === 0 ? first : second);
    const rounds = [
      (i: number) => half(i, 'ADD', 'DEL'),
      (i: number) => half(i, 'DEL', 'ADD'),
      (i: number) => half(i, 'ADD', 'DEL'),
      () => 'DEL',
    ];
    for (const command of rounds) {
      const outcomes = await Promise.all(all((i) => call(command(i), i)));
      for (const [i, { status, stdout, stderr }] of outcomes.entries()) {
        expect({ i, status, stderr, stdout }).toEqual({
          i,
          status: 0,
          stderr: '',
          stdout: command(i) === 'ADD' ? stdout : '',
        });
      }
      const addresses = outcomes.flatMap(({ stdout }) =>
        stdout === ''
          ? []
          : JSON.parse(stdout).ips.map((ip: { address: string }) => ip.address.replace(/\/.*/, '')),
      );
      expect(host().leases).toEqual(addresses.sort());
    }
    expect(host()).toEqual(before);
  });
});
