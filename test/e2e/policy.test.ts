import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { type Config, type Host, hostTest } from '../support/host.ts';
import { INSTALLED } from '../support/plugin.ts';
import {
  ask,
  HOST,
  NO_ANSWERS,
  never,
  OUTSIDE,
  outside,
  type Pair,
  questions,
  seenAs,
  serve,
} from '../support/traffic.ts';

// What `ingressPolicy` and `antiSpoofing` let pass by TCP and UDP, and what not.

const CLAIM = join(import.meta.dirname, '../support/claim.py');

const network = (host: Host, number: number, more: object): Config => ({
  ...host.c46({ subnet: `10.${number}.0.0/24`, ranges: [[{ subnet: `fd${number}::/64` }]] }, more),
  name: `net${number}`,
});
const address = (number: number, last: number): Pair => ({
  4: `10.${number}.0.${last}`,
  6: `fd${number}::${last}`,
});

describe.concurrent.each(INSTALLED)('%s', (name) => {
  const test = hostTest(name);

  test('ingressPolicy keeps networks, and isolated containers, apart; their ports are open to the outside and no side door', async ({
    host,
  }) => {
    const out = await outside(host);
    const portMappings = ['tcp', 'udp'].map((protocol) => ({ hostPort: 8080, containerPort: 80, protocol }));
    const of: Readonly<Record<string, readonly [Pair, Config]>> = {
      a: [address(99, 2), network(host, 99, { ingressPolicy: 'same-bridge' })],
      sibling: [address(99, 3), network(host, 99, { ingressPolicy: 'same-bridge' })],
      foreign: [
        address(98, 2),
        network(host, 98, { ingressPolicy: 'same-bridge', runtimeConfig: { portMappings } }),
      ],
      open: [address(97, 2), network(host, 97, { ingressPolicy: 'open' })],
      isolated: [address(99, 4), network(host, 99, { ingressPolicy: 'isolated' })],
    };
    const pods = new Map<string, Awaited<ReturnType<Host['pod']>>>();
    for (const [id, [, config]] of Object.entries(of)) {
      const pod = await host.pod();
      pods.set(id, pod);
      await host.add(pod, { id, config });
      await serve(host, pod, 80, id);
    }
    const [a = host.net, open = host.net, isolated = host.net] = ['a', 'open', 'isolated'].map((id) =>
      pods.get(id),
    );
    // Not even what asks for no answer gets into an isolated container.
    await isolated.run(
      'nft',
      `add table inet heard; add chain inet heard input { type filter hook input priority 0; }
       add rule inet heard input ip saddr { 10.99.0.2, 10.99.0.3 } counter; add rule inet heard input ip6 saddr { fd99::2, fd99::3 } counter`,
    );
    const ids = Object.keys(of);
    /** Who is reached, by both protocols and families or by none; the others are tried, too. */
    const expectReached = async (from: string, expected: readonly string[]): Promise<void> => {
      const asked = Object.entries(of).filter(([id]) => id !== from);
      const all = asked.flatMap(([id, [to]]) =>
        expected.includes(id) ? questions(to, 80) : never(questions(to, 80)),
      );
      const servers = (await ask(pods.get(from) ?? host.net, ...all)).map((answer) =>
        answer.replace(/.* /, ''),
      );
      const wanted = asked.flatMap(([id]) =>
        Array.from({ length: 4 }, () => (expected.includes(id) ? id : '-')),
      );
      expect(servers, from).toEqual(wanted);
    };
    await Promise.all([
      expectReached('a', ['sibling', 'open']),
      expectReached('foreign', ['open']),
      // Nor does it reach others that are apart, for their answers would reach it.
      expectReached('isolated', ['open']),
      expectReached('open', ['a', 'sibling', 'foreign', 'isolated']),
      expectReached('the host', ids),
    ]);
    const heard = await isolated.run('nft', 'list', 'table', 'inet', 'heard');
    expect([...heard.matchAll(/packets (\d+)/g)].map(([, packets]) => packets)).toEqual(['0', '0']);
    const port = questions(HOST, 8080);
    expect(await ask(out, ...port)).toEqual(seenAs(OUTSIDE, 'foreign'));
    expect(await ask(open, ...port)).toEqual(
      // Another network's container, which is masqueraded on the way.
      seenAs(address(98, 1), 'foreign'),
    );
    expect(await ask(a, ...never(port))).toEqual(NO_ANSWERS);
  });

  test('antiSpoofing: TCP and UDP from an address of another’s get nowhere, nor does a claim to have it; its own pass', async ({
    host,
  }) => {
    const [a, b] = [await host.pod(), await host.pod()];
    const [own, taken, other] = [address(99, 2), address(99, 77), address(99, 3)];
    // What is forwarded is counted, whatever becomes of it.
    const rules = [`ip saddr ${taken[4]}`, `ip6 saddr ${taken[6]}`].flatMap((saddr) =>
      ['tcp', 'udp'].map(
        (protocol) => `add rule inet seen forward ${saddr} meta l4proto ${protocol} counter`,
      ),
    );
    const count = (): Promise<string> =>
      host.net.run(
        'nft',
        [
          'add table inet seen',
          'add chain inet seen forward { type filter hook forward priority 0; }',
          'flush chain inet seen forward',
          ...rules,
        ].join(';'),
      );
    const counted = async (): Promise<boolean[]> => {
      const list = await host.net.run('nft', 'list', 'table', 'inet', 'seen');
      return [...list.matchAll(/packets (\d+)/g)].map(([, packets]) => packets !== '0');
    };
    await host.add(b, {
      id: 'b',
      config: network(host, 99, { runtimeConfig: { ips: [other[4], other[6]] } }),
    });
    await serve(host, b, 80, 'b');
    await serve(host, a, 80, 'a');
    for (const antiSpoofing of [false, true]) {
      const config = network(host, 99, { antiSpoofing, runtimeConfig: { ips: [own[4], own[6]] } });
      await host.add(a, { id: 'a', config });
      await a.sh(
        `ip addr add ${taken[4]}/32 dev eth0; ip addr add ${taken[6]}/128 dev eth0 nodad preferred_lft 0`,
      );
      await count();
      const spoofed = questions(other, 80).map((one, i) => `${one} from ${i < 2 ? taken[4] : taken[6]}`);
      expect(await ask(a, ...questions(other, 80), ...never(spoofed))).toEqual([
        ...seenAs(own, 'b'),
        ...NO_ANSWERS,
      ]);
      expect(await counted()).toEqual(Array.from({ length: 4 }, () => !antiSpoofing));
      // It says by ARP and neighbour discovery that it has what b has, and so does the gateway.
      for (const claimed of [other, address(99, 1)]) {
        await a.run('/usr/bin/python3', CLAIM, 'eth0', claimed[4], claimed[6]);
      }
      expect(await ask(host.net, ...questions(other, 80))).toEqual(seenAs(address(99, 1), 'b'));
      expect(await ask(host.net, ...questions(own, 80))).toEqual(seenAs(address(99, 1), 'a'));
      await host.ok('DEL', { id: 'a', netns: a, config });
    }
  });
});
