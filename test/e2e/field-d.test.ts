import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { DelegateFolder } from '../support/delegate.ts';
import {
  type Added,
  type Config,
  type Host,
  hostTest,
  type Namespace,
  type Options,
  until,
} from '../support/host.ts';
import { INSTALLED } from '../support/plugin.ts';
import {
  ask,
  HOST,
  keepAsking,
  NO_ANSWERS,
  never,
  OUTSIDE,
  outside,
  type Pair,
  questions,
  seenAs,
  serve,
} from '../support/traffic.ts';

const SCTP = join(import.meta.dirname, '../support/sctp.py');

// Reports from the field, D: port mappings and masquerading. Those that are not here are in ports.test.ts.

/** What the first container gets, and its host end. */
const POD = { 4: '10.99.0.2', 6: 'fd99::2' } as const;
const GATEWAY = { 4: '10.99.0.1', 6: 'fd99::1' } as const;

const mapped = (host: Host, portMappings: readonly object[], more: object = {}): Config =>
  host.c46({}, { ...more, runtimeConfig: { portMappings } });
const both = (hostPort: number, containerPort: number, more: object = {}): object[] =>
  ['tcp', 'udp'].map((protocol) => ({ hostPort, containerPort, protocol, ...more }));
const hostEnd = (result: Added): string => result.interfaces[0]?.name ?? '';

/** Tracked connections, each as `protocol source port destination port`, and where its answers come from. */
async function tracked(host: Host): Promise<string[]> {
  const list = await host.net.sh('for f in 4 6; do conntrack -L -f ipv$f 2>/dev/null; done');
  return list.split('\n').flatMap((line) => {
    const [, protocol, source, destination, sport, dport, answerer] =
      /^(\w+) .*?src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+) .*?src=(\S+)/.exec(line) ?? [];
    return protocol === undefined
      ? []
      : [`${protocol} ${source} ${sport} ${destination} ${dport} answered by ${answerer}`];
  });
}

describe.concurrent.each(INSTALLED)('%s', (name) => {
  const test = hostTest(name);
  const isFast = name === 'plumb';

  test('B57, B58: UDP that never pauses, from before any mapping, goes to each new container and then to the host', async ({
    host,
  }) => {
    const out = await outside(host);
    const [other, a, b] = [await host.pod(), await host.pod(), await host.pod()];
    const config = mapped(host, [{ hostPort: 5353, containerPort: 53, protocol: 'udp' }]);
    // The host tracks connections: otherwise there would be nothing to forget.
    await host.add(other, { id: 'other', config: host.c46() });
    const clients = ([4, 6] as const).map((family) => ({
      seen: OUTSIDE[family],
      last: keepAsking(host, out, HOST[family], 5353),
    }));
    const ours = async (): Promise<string[]> =>
      (await tracked(host)).filter((entry) => entry.includes(' 5353 '));
    await until(async () => (await ours()).length === 2);
    const answered = async (server: string): Promise<void> => {
      for (const { seen, last } of clients) await until(() => last() === `udp ${seen} at ${server}`);
    };
    const leadTo = async (addresses: readonly string[]): Promise<string[]> =>
      (await ours()).filter((entry) => addresses.some((address) => entry.endsWith(`by ${address}`)));
    await serve(host, a, 53, 'a');
    await serve(host, b, 53, 'b');
    const { ips } = await host.add(a, { id: 'a', config });
    await answered('a');
    const ofA = ips.map(({ address }) => address.split('/')[0] ?? '');
    expect(await leadTo(ofA)).toHaveLength(2);
    await host.ok('DEL', { id: 'a', netns: a, config });
    expect(await leadTo(ofA)).toEqual([]);
    await host.add(b, { id: 'b', config });
    await answered('b');
    await host.ok('DEL', { id: 'b', netns: b, config });
    expect(await leadTo(['10.99.0.4', 'fd99::4'])).toEqual([]);
    await serve(host, host.net, 5353, 'host');
    await answered('host');
  });

  test('B60: UDP connections to the host port are forgotten on ADD and DEL; to the container port, of TCP, and others stay', async ({
    host,
  }) => {
    const config = mapped(host, both(15353, 53));
    const flow = (protocol: string, to: string, port: number, answerer = to, source = 40000): string => {
      const from = OUTSIDE[to.includes(':') ? 6 : 4];
      const answering = `-r ${answerer} -q ${from} --reply-port-src ${answerer === to ? port : 53} --reply-port-dst ${source}`;
      const state = protocol === 'tcp' ? '--state ESTABLISHED -u SEEN_REPLY' : '';
      return `conntrack -I -p ${protocol} -s ${from} -d ${to} --sport ${source} --dport ${port} ${answering} -t 600 ${state} 2>&1`;
    };
    const make = (answerers: Pair): Promise<string> =>
      host.net.sh(
        ([4, 6] as const)
          .flatMap((family) => [
            flow('udp', HOST[family], 15353, answerers[family]),
            flow('tcp', HOST[family], 15353, answerers[family]),
            flow('udp', HOST[family], 53),
            flow('udp', POD[family], 53, POD[family], 40001),
          ])
          .join('\n'),
      );
    const ports = async (): Promise<string[]> =>
      (await tracked(host)).map((entry) => entry.replace(/ 4000[01] | answered.*/g, ' ').trim()).sort();
    const [tcp, stay] = [
      ([4, 6] as const).map((family) => `tcp ${OUTSIDE[family]} ${HOST[family]} 15353`),
      ([4, 6] as const).flatMap((family) => [
        `udp ${OUTSIDE[family]} ${HOST[family]} 53`,
        `udp ${OUTSIDE[family]} ${POD[family]} 53`,
      ]),
    ];
    const gone = ([4, 6] as const).map((family) => `udp ${OUTSIDE[family]} ${HOST[family]} 15353`);
    await make(HOST);
    expect(await ports()).toEqual([...tcp, ...stay, ...gone].sort());
    const pod = await host.pod();
    await host.add(pod, { config });
    expect(await ports()).toEqual([...tcp, ...stay].sort());
    await host.net.sh('conntrack -F 2>/dev/null');
    await make(POD);
    expect(await ports()).toEqual([...tcp, ...stay, ...gone].sort());
    await host.ok('DEL', { netns: pod, config });
    expect(await ports()).toEqual([...tcp, ...stay].sort());
  });

  test('B63: what redirects is reached from prerouting and output alone; conditions, in whose words ever, are refused and break nothing', async ({
    host,
  }) => {
    const config = mapped(host, both(8080, 80));
    await host.add(await host.pod(), { config });
    const list = (): Promise<string> => host.net.run('nft', '-j', 'list', 'table', 'inet', 'plumb-ports');
    const before = await list();
    interface Entry {
      readonly chain?: { readonly name: string; readonly hook?: string };
      readonly rule?: { readonly chain: string; readonly expr: readonly Record<string, unknown>[] };
    }
    const { nftables }: { nftables: Entry[] } = JSON.parse(before);
    const hooks = new Map(nftables.flatMap(({ chain }) => (chain ? [[chain.name, chain.hook]] : [])));
    const rules = nftables.flatMap(({ rule }) => rule ?? []);
    const hooksOf = (chain: string): (string | undefined)[] => {
      const callers = rules.filter(({ expr }) =>
        expr.some((one) => JSON.stringify(one['goto'] ?? one['jump'] ?? {}) === `{"target":"${chain}"}`),
      );
      const own = hooks.get(chain);
      return [...(own === undefined ? [] : [own]), ...callers.flatMap((caller) => hooksOf(caller.chain))];
    };
    const redirecting = new Set(
      rules.filter(({ expr }) => expr.some((one) => 'dnat' in one)).map(({ chain }) => chain),
    );
    expect([...redirecting].flatMap(hooksOf).sort()).toEqual(['output', 'prerouting']);
    const pod = await host.pod();
    const snapshot = await host.snapshot();
    for (const [key, words] of [
      ['conditionsV4', ['ip', 'saddr', '@allowed']],
      ['conditionsV6', ['ip6', 'saddr', '{', '2001:db8::1,', '2001:db8::2', '}']],
    ] as const) {
      const config = mapped(host, both(8081, 80), { [key]: words });
      const { code, msg } = await host.refused('ADD', { id: 'c2', netns: pod, config });
      expect(code).toBe(7);
      expect(msg).toContain(key);
    }
    expect(await list()).toBe(before);
    await host.expectClean(snapshot);
  });

  test('B66: one host port, of each address of the host to another container; every spelling of "any"', async ({
    host,
  }) => {
    const out = await outside(host);
    await host.net.ip('address', 'add', '203.0.113.3/24', 'dev', 'up0');
    await host.net.ip('address', 'add', '2001:db8::3/64', 'dev', 'up0', 'nodad');
    const second = { 4: '203.0.113.3', 6: '2001:db8::3' };
    const [a, b] = [await host.pod(), await host.pod()];
    await serve(host, a, 80, 'a');
    await serve(host, b, 80, 'b');
    const of = (addresses: Pair): object[] => [
      ...both(80, 80, { hostIP: addresses[4] }),
      ...both(80, 80, { hostIP: addresses[6] }),
    ];
    await host.add(a, {
      id: 'a',
      config: mapped(host, [
        ...of(HOST),
        ...both(8081, 80, { hostIP: '' }),
        ...both(8082, 80, { hostIP: '::' }),
        ...both(8083, 80, { hostIP: '0.0.0.0' }),
      ]),
    });
    await host.add(b, { id: 'b', config: mapped(host, of(second)) });
    const heard = (server: string): string[] => seenAs(OUTSIDE, server);
    expect(await ask(out, ...questions(HOST, 80))).toEqual(heard('a'));
    expect(await ask(out, ...questions(second, 80))).toEqual(heard('b'));
    const none = ['-', '-'];
    const [four, six] = [heard('a').slice(0, 2), heard('a').slice(2)];
    const asked = (port: number): [string[], string[]] => [
      questions(second, port).slice(0, 2),
      questions(second, port).slice(2),
    ];
    const [[only4, not6], [not4, only6]] = [asked(8083), asked(8082)];
    expect(
      await ask(out, ...questions(second, 8081), ...only4, ...never(not6), ...never(not4), ...only6),
    ).toEqual([...four, ...six, ...four, ...none, ...none, ...six]);
    // What is bound to an address is not on 127.0.0.1.
    const local = await ask(
      host.net,
      ...never(['tcp 127.0.0.1 80', 'udp 127.0.0.1 80']),
      'tcp 127.0.0.1 8083',
    );
    expect(local).toEqual([...none, 'tcp 10.99.0.1 at a']);
    // A container without an address of the family has no such mapping, and that is no error.
    const before = await host.snapshot();
    const v4 = host.c4({}, { runtimeConfig: { portMappings: both(8084, 80, { hostIP: HOST[6] }) } });
    const c = { id: 'c', netns: await host.pod(), config: v4 };
    const prevResult = await host.add(c.netns, c);
    expect(await host.net.run('nft', 'list', 'ruleset')).not.toContain('8084');
    await host.ok('CHECK', { ...c, config: { ...v4, prevResult } });
    await host.ok('DEL', c);
    await host.expectClean(before);
  });

  test('B68: 127.0.0.1 by route_localnet on our link alone; [::1] cannot, as the documentation says', async ({
    host,
  }) => {
    const pod = await host.pod();
    const result = await host.add(pod, { config: mapped(host, both(8080, 80)) });
    await serve(host, pod, 80, 'pod');
    const on = 'grep -l 1 /proc/sys/net/ipv4/conf/*/route_localnet';
    expect(await host.net.sh(on)).toBe(`/proc/sys/net/ipv4/conf/${hostEnd(result)}/route_localnet\n`);
    const asked = ['tcp 127.0.0.1 8080', 'udp 127.0.0.1 8080', ...never(['tcp ::1 8080', 'udp ::1 8080'])];
    expect(await ask(host.net, ...asked)).toEqual(['tcp 10.99.0.1 at pod', 'udp 10.99.0.1 at pod', '-', '-']);
    const docs = readFileSync(join(import.meta.dirname, '../../docs/configuration.md'), 'utf8');
    expect(docs).toContain('`[::1]` cannot be redirected');
  });

  test("what is not addressed to the host is never redirected, and what is the host's own at 127.0.0.1 never reached from outside", async ({
    host,
  }) => {
    const out = await outside(host);
    const [a, b] = [await host.pod(), await host.pod()];
    await host.add(a, { id: 'a', config: mapped(host, both(8080, 80)) });
    await host.add(b, { id: 'b', config: host.c46() });
    await serve(host, a, 80, 'a');
    await serve(host, out, 8080, 'out');
    await serve(host, b, 8080, 'b');
    // Through the host, and from it, to other machines and containers with a service on that port.
    for (const from of [host.net, a]) {
      expect(await ask(from, ...questions(OUTSIDE, 8080))).toEqual(seenAs(HOST, 'out'));
    }
    const inside = { 4: '10.99.0.3', 6: 'fd99::3' };
    expect(await ask(a, ...questions(inside, 8080))).toEqual(seenAs(POD, 'b'));
    expect(await ask(host.net, ...questions(inside, 8080))).toEqual(seenAs(GATEWAY, 'b'));
    // A service of the host's own, from a container and from outside, by a route that they have no business to have.
    await serve(host, host.net, 9090, 'host', '127.0.0.1');
    const attack = (via: string): string => `
      echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
      ip route add 127.0.0.1/32 via ${via} table 7
      ip rule add pref 1 to 127.0.0.1 lookup 7
      ip rule add pref 2 lookup local
      ip rule del pref 0`;
    await a.sh(attack('10.99.0.1'));
    await out.sh(attack(HOST[4]));
    for (const from of [a, out]) {
      // On the port that is mapped as well: the redirection must not open what the rule closes.
      const asked = [9090, 8080].flatMap((port) => [`tcp 127.0.0.1 ${port}`, `udp 127.0.0.1 ${port}`]);
      expect(await ask(from, ...never(asked))).toEqual(NO_ANSWERS);
    }
    // It is our rule that keeps the container out, and nothing else.
    await host.net.run('nft', 'flush', 'chain', 'inet', 'plumb-ports', 'guard');
    expect(await ask(a, 'tcp 127.0.0.1 9090')).toEqual(['tcp 10.99.0.2 at host']);
  });

  test('snat false and masqAll, TCP and UDP, both families', async ({ host }) => {
    const out = await outside(host);
    const [plain, all] = [await host.pod(), await host.pod()];
    const plainResult = await host.add(plain, {
      id: 'plain',
      config: mapped(host, both(8080, 80), { snat: false }),
    });
    await host.add(all, { id: 'all', config: mapped(host, both(8081, 80), { masqAll: true }) });
    await serve(host, plain, 80, 'plain');
    await serve(host, all, 80, 'all');
    expect(await ask(out, ...questions(HOST, 8080))).toEqual(seenAs(OUTSIDE, 'plain'));
    expect(await ask(out, ...questions(HOST, 8081))).toEqual(seenAs(GATEWAY, 'all'));
    expect(await ask(host.net, ...never(['tcp 127.0.0.1 8080', 'udp 127.0.0.1 8080']))).toEqual(['-', '-']);
    const file = `/proc/sys/net/ipv4/conf/${hostEnd(plainResult)}/route_localnet`;
    expect(await host.net.run('cat', file)).toBe('0\n');
  });

  test('B73: of an address that two containers have had, DEL of the one leaves the rules of the other', async ({
    host,
  }) => {
    const out = await outside(host);
    await serve(host, out, 7000, 'out');
    const folder = new DelegateFolder(`${host.scratch}/plugins`);
    folder.answering('same-for-all', {
      cniVersion: '1.1.0',
      ips: [
        { address: '10.99.0.2/29', gateway: '10.99.0.1' },
        { address: 'fd99::2/64', gateway: 'fd99::1' },
      ],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
    });
    const path = { by: ['env', `CNI_PATH=${folder.path}`] };
    const config = (portMappings: readonly object[]): Config => ({
      ...mapped(host, portMappings, { antiSpoofing: true, ingressPolicy: 'same-bridge' }),
      ipam: { type: 'same-for-all' },
    });
    const rules = (): Promise<string> => host.net.run('nft', 'list', 'ruleset');
    const attach = (id: string, netns: Namespace, hostPort: number): Options => ({
      ...{ id, netns, config: config(both(hostPort, 80)), ...path },
    });
    const ways = ['dead', 'not routed to, without records', 'not routed to'];
    for (const how of ways.slice(0, isFast ? 3 : 1)) {
      const [a, b] = [await host.pod(), await host.pod()];
      await serve(host, b, 80, 'b');
      const first = attach('a', a, how === 'dead' ? 8080 : 8081);
      await host.add(a, first);
      const onlyA = await rules();
      const second = attach('b', b, 8080);
      // While a is alive and routed to, nobody gets its address.
      const error = await host.refused('ADD', second);
      expect(error.msg).toContain('10.99.0.2');
      expect(await rules()).toBe(onlyA);
      if (how === 'dead') {
        await a.remove();
        await until(async () => (await host.ends()).length === 0);
      } else await host.net.sh('ip route del 10.99.0.2; ip -6 route del fd99::2');
      const prevResult = await host.add(b, second);
      if (how.endsWith('records')) rmSync(host.runDir, { recursive: true });
      await host.ok('DEL', first);
      expect(await rules()).not.toContain(' a"');
      if (!how.endsWith('records')) {
        await host.ok('CHECK', { ...second, config: { ...config(both(8080, 80)), prevResult } });
      }
      expect(await ask(out, ...questions(HOST, 8080))).toEqual(seenAs(OUTSIDE, 'b'));
      expect(await ask(b, ...questions(OUTSIDE, 7000))).toEqual(seenAs(HOST, 'out'));
      await host.ok('DEL', second);
      expect(await rules()).not.toMatch(/"plumb[0-9a-f]{10}/);
    }
  });

  test('B74: a port on every address and the same on one of them are in conflict, unless the container that has it is dead', async ({
    host,
  }) => {
    const out = await outside(host);
    const b = await host.pod();
    await serve(host, b, 80, 'b');
    const everywhere = both(8080, 80);
    const onOne = [HOST[4], HOST[6]].flatMap((hostIP) => both(8080, 80, { hostIP }));
    const orders = [
      [onOne, everywhere],
      [everywhere, onOne],
    ] as const;
    for (const [first, second] of orders.slice(0, isFast ? 2 : 1)) {
      const pod = await host.pod();
      const ofA = { id: 'a', netns: pod, config: mapped(host, first) };
      const ofB = { id: 'b', netns: b, config: mapped(host, second) };
      await host.add(pod, ofA);
      const alone = await host.net.run('nft', 'list', 'ruleset');
      const { code, msg } = await host.refused('ADD', ofB);
      expect(code).toBe(105);
      expect(msg).toMatch(
        /^host port 8080\/tcp( on 203.0.113.1)? is mapped to container a eth0 of network t already$/,
      );
      expect(await host.net.run('nft', 'list', 'ruleset')).toBe(alone);
      await pod.remove();
      await until(async () => (await host.ends()).length === 0);
      await host.add(b, ofB);
      expect(await ask(out, ...questions(HOST, 8080))).toEqual(seenAs(OUTSIDE, 'b'));
      await host.ok('DEL', ofA);
      expect(await ask(out, ...questions(HOST, 8080))).toEqual(seenAs(OUTSIDE, 'b'));
      await host.ok('DEL', ofB);
      expect(await host.elements()).toEqual([]);
    }
  });

  test('B74: SCTP to a mapped port arrives at the port of the container, IPv4 and IPv6', async ({ host }) => {
    const out = await outside(host);
    const pod = await host.pod();
    await host.add(pod, {
      config: mapped(host, [{ hostPort: 3868, containerPort: 2905, protocol: 'SCTP' }]),
    });
    const heard = `${host.scratch}/heard`;
    const { ready } = host.serve([...pod.enter, '/usr/bin/python3', SCTP, 'listen', heard]);
    await ready;
    const knock = (port: string): Promise<string> =>
      out.run('/usr/bin/python3', SCTP, 'knock', port, HOST[4], HOST[6]);
    // A port that is not mapped goes to the host, and no further.
    await knock('3869');
    await knock('3868');
    await until(() => readFileSync(heard, 'utf8').split('\n').length > 2);
    const lines = readFileSync(heard, 'utf8').trim().split('\n');
    expect(lines.sort()).toEqual([`${OUTSIDE[6]} 2905`, `${OUTSIDE[4]} 2905`]);
  });
});
