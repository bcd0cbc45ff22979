import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeNetns, type Netns, run } from '../support/netns.ts';
import { callPlugin, expectDone, INSTALLED, type Outcome, resultOf } from '../support/plugin.ts';

let folder: string;
let pods: Netns[] = [];

beforeEach(() => {
  folder = mkdtempSync('/run/guard-');
});
afterEach(() => {
  for (const pod of pods) pod.remove();
  pods = [];
  rmSync(folder, { recursive: true });
});

function newPod(): Netns {
  const pod = makeNetns();
  pods.push(pod);
  return pod;
}

const config = (more: object = {}, network = 'net', subnets = ['10.99.0.0/24', 'fd99::/64']) => ({
  cniVersion: '1.1.0',
  name: network,
  type: 'plumb',
  runDir: `${folder}/run`,
  ipam: {
    type: 'host-local',
    dataDir: `${folder}/leases`,
    ranges: subnets.map((subnet) => [{ subnet }]),
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
  },
  ...more,
});

/** Whether an answer comes. */
function pings(from: Netns | undefined, ...args: readonly string[]): boolean {
  const inside = from === undefined ? [] : ['ip', 'netns', 'exec', from.name];
  const [program = '', ...rest] = [...inside, 'ping', '-q', '-c1', '-W0.4', ...args];
  return spawnSync(program, rest).status === 0;
}

const ruleset = (): string => run('nft', 'list', 'table', 'inet', 'plumb-guard');

describe.each(INSTALLED)('%s', (name) => {
  const call = (command: string, stdin: unknown, containerId: string, netns: Netns): Outcome =>
    callPlugin(name, { command, stdin, containerId, netns: netns.path });
  const added = (stdin: unknown, containerId: string, netns: Netns) =>
    resultOf(call('ADD', stdin, containerId, netns));

  test('antiSpoofing: a container sends from its own addresses and MAC, and from no other', () => {
    const [a, b] = [newPod(), newPod()];
    // What gets as far as being forwarded is counted, whatever becomes of it.
    run('nft', 'add table inet seen; add chain inet seen forward { type filter hook forward priority 0; }');
    const addresses = ['10.99.0.77', '10.99.0.2', 'fd99::77', 'fd99::2'];
    for (const address of addresses) {
      run(
        'nft',
        `add rule inet seen forward ${address.includes(':') ? 'ip6' : 'ip'} saddr ${address} counter`,
      );
    }
    let before = [0, 0, 0, 0];
    const seen = (): number[] => {
      const counts = [...run('nft', 'list', 'chain', 'inet', 'seen', 'forward').matchAll(/packets (\d+)/g)];
      const now = counts.map(([, count]) => Number(count));
      const more = now.map((count, i) => count - (before[i] ?? 0));
      before = now;
      return more;
    };
    const probe = (): number[] => {
      seen();
      // Its own first: who asks for the gateway in another's name gets no answer, and gives up for a while.
      pings(a, '10.99.0.3');
      pings(a, 'fd99::3');
      pings(a, '-I', '10.99.0.77', '10.99.0.3');
      pings(a, '-I', 'fd99::77', 'fd99::3');
      return seen().map((count) => Math.min(count, 1));
    };
    for (const antiSpoofing of [false, true]) {
      const guarded = config({ antiSpoofing, args: { cni: { ips: ['10.99.0.2', 'fd99::2'] } } });
      const other = config({ args: { cni: { ips: ['10.99.0.3', 'fd99::3'] } } });
      const prevResult = added(guarded, 'a', a);
      added(other, 'b', b);
      a.ip('addr', 'add', '10.99.0.77/32', 'dev', 'eth0');
      a.ip('addr', 'add', 'fd99::77/128', 'dev', 'eth0', 'nodad', 'preferred_lft', '0');
      expect(probe()).toEqual(antiSpoofing ? [0, 1, 0, 1] : [1, 1, 1, 1]);
      // Its own addresses, but another MAC.
      expectDone(call('CHECK', { ...guarded, prevResult }, 'a', a));
      a.ip('link', 'set', 'eth0', 'address', '02:00:00:00:00:99');
      expect(probe()).toEqual(antiSpoofing ? [0, 0, 0, 0] : [1, 1, 1, 1]);
      expectDone(call('DEL', guarded, 'a', a));
      expectDone(call('DEL', other, 'b', b));
    }
    expect(ruleset()).not.toContain('"plumb');
    run('nft', 'delete', 'table', 'inet', 'seen');
  });

  test('ingressPolicy: same-bridge keeps networks apart, isolated keeps containers apart, the host reaches all', () => {
    const [a, b, c, d, e] = [newPod(), newPod(), newPod(), newPod(), newPod()];
    const apart = config({ ingressPolicy: 'same-bridge' });
    const second = config({ ingressPolicy: 'same-bridge' }, 'second', ['10.98.0.0/24', 'fd98::/64']);
    const open = config({ ingressPolicy: 'open' }, 'third', ['10.97.0.0/24', 'fd97::/64']);
    added(apart, 'a', a);
    added(apart, 'b', b);
    added(second, 'c', c);
    added(open, 'd', d);
    for (const [own, foreign, openOne] of [
      ['10.99.0.3', '10.98.0.2', '10.97.0.2'],
      ['fd99::3', 'fd98::2', 'fd97::2'],
    ]) {
      expect(pings(a, own ?? '')).toBe(true);
      expect(pings(a, foreign ?? '')).toBe(false);
      expect(pings(a, openOne ?? '')).toBe(true);
      for (const address of [own, foreign, openOne]) expect(pings(undefined, address ?? '')).toBe(true);
    }
    const isolated = config({ ingressPolicy: 'isolated' });
    added(isolated, 'e', e);
    expect(pings(a, '10.99.0.4')).toBe(false);
    expect(pings(e, '10.99.0.2')).toBe(false);
    expect(pings(undefined, '10.99.0.4')).toBe(true);
    expectDone(call('DEL', apart, 'a', a));
    // Without records they are found by name.
    rmSync(`${folder}/run`, { recursive: true });
    expectDone(call('DEL', apart, 'b', b));
    expectDone(call('DEL', second, 'c', c));
    expectDone(call('DEL', open, 'd', d));
    expectDone(call('GC', { ...isolated, 'cni.dev/valid-attachments': [] }, 'e', e));
    expect(ruleset()).not.toContain('"plumb');
  });

  test('CHECK notices what is missing; a value that is none is refused', () => {
    const a = newPod();
    const both = config({ antiSpoofing: true, ingressPolicy: 'same-bridge' });
    const prevResult = added(both, 'a', a);
    const { interfaces } = prevResult;
    run('nft', 'delete', 'element', 'inet', 'plumb-guard', 'ip4', `{ "${interfaces[0].name}" . 10.99.0.2 }`);
    const { msg } = JSON.parse(call('CHECK', { ...both, prevResult }, 'a', a).stdout);
    expect(msg).toBe(
      `network net: antiSpoofing or ingressPolicy of ${interfaces[0].name} is not in force as a whole`,
    );
    // An element that somebody removed does not keep the others.
    expectDone(call('DEL', both, 'a', a));
    expect(ruleset()).not.toContain('"plumb');
    const { code } = JSON.parse(call('ADD', config({ ingressPolicy: 'closed' }), 'a', a).stdout);
    expect(code).toBe(7);
  });
});
