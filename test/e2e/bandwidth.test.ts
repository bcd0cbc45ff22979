import { describe, expect, type TestAPI } from 'vitest';
import {
  type Added,
  type Config,
  exec,
  type Host,
  hostTest,
  type Namespace,
  until,
} from '../support/host.ts';
import { INSTALLED } from '../support/plugin.ts';

const RATE = 100_000_000;
const INGRESS = { ingressRate: RATE, ingressBurst: 1_000_000 };
const EGRESS = { egressRate: RATE, egressBurst: 1_000_000 };
const BOTH = { ...INGRESS, ...EGRESS };

interface Qdisc {
  readonly kind: string;
  readonly dev: string;
  readonly options: { readonly rate: number; readonly burst: number };
}

/** The tbf at the root of a link; the kernel's numbers, in bytes. */
async function tbf(host: Host, dev: string | undefined): Promise<Qdisc['options'] | undefined> {
  const all: Qdisc[] = JSON.parse(
    await host.net.run('tc', '-j', '-s', 'qdisc', 'show', 'dev', dev ?? '', 'root'),
  );
  return all.find(({ kind }) => kind === 'tbf')?.options;
}

const hostEnd = (result: Added): string => result.interfaces[0]?.name ?? '';
const ifb = (result: Added): string => result.interfaces[2]?.name ?? '';

function shaped(host: Host, more: object): Config {
  return host.c46({}, more);
}

/** Received bits per second of a transfer of one second; by UDP of twice as much as the limit. */
async function throughput(
  client: Namespace,
  server: Namespace,
  address: string,
  isUdp = false,
): Promise<number> {
  const port = String(5201 + Math.floor(Math.random() * 20_000));
  const serving = exec([...server.enter, 'iperf3', '-s', '-1', '-p', port]);
  await until(async () => (await server.run('ss', '-Hltn', 'sport', '=', `:${port}`)) !== '');
  const udp = isUdp ? ['-u', '-b', String(2 * RATE), '-l', '1200'] : [];
  const json = await client.run('iperf3', '-c', address, '-p', port, '-t', '1', '-J', ...udp);
  await serving;
  return JSON.parse(json).end.sum_received.bits_per_second;
}

/** The rate is never more than 10 % too high; on a machine that is busy with something else it may be too low at first. */
async function expectRate(client: Namespace, server: Namespace, address: string): Promise<void> {
  let best = 0;
  for (let attempt = 0; attempt < 10 && best < RATE * 0.9; attempt++) {
    best = Math.max(best, await throughput(client, server, address));
    expect(best).toBeLessThan(RATE * 1.1);
  }
  expect(best).toBeGreaterThan(RATE * 0.9);
}

const bare = (cidr: string | undefined): string => cidr?.split('/')[0] ?? '';

describe.each(INSTALLED)('%s', (name) => {
  const it: TestAPI<{ host: Host }> = hostTest(name);

  it('what a container receives and sends is within 10 % of the rate, IPv4 and IPv6, TCP and UDP', async ({
    host,
  }) => {
    const pod = await host.pod();
    const { ips } = await host.add(pod, { config: shaped(host, { ...BOTH, antiSpoofing: true }) });
    for (const address of ips.map((ip) => bare(ip.address))) {
      await expectRate(host.net, pod, address);
    }
    for (const address of ips.map((ip) => ip.gateway ?? '')) {
      await expectRate(pod, host.net, address);
    }
    // UDP does not slow down of its own accord, and who is too busy to read it loses it.
    for (const [client, server, address] of [
      [host.net, pod, bare(ips[0]?.address)],
      [pod, host.net, ips[1]?.gateway ?? ''],
    ] as const) {
      const received = await throughput(client, server, address, true);
      expect(received).toBeLessThan(RATE * 1.1);
      expect(received).toBeGreaterThan(RATE * 0.3);
    }
  });

  it('B80: limits hold between two containers of one host', async ({ host }) => {
    const [a, b, c] = await Promise.all([host.pod(), host.pod(), host.pod()]);
    const sender = await host.add(a, { id: 'a', config: shaped(host, EGRESS) });
    const receiver = await host.add(b, { id: 'b', config: shaped(host, INGRESS) });
    const free = await host.add(c, { id: 'c', config: shaped(host, {}) });
    expect(free.interfaces).toHaveLength(2);
    await expectRate(a, c, bare(free.ips[0]?.address));
    await expectRate(c, b, bare(receiver.ips[0]?.address));
    await expectRate(c, b, bare(receiver.ips[1]?.address));
    // The other directions are free.
    expect(await tbf(host, hostEnd(sender))).toBeUndefined();
    expect(receiver.interfaces).toHaveLength(2);
  });

  it.concurrent('B75: bits in the configuration are bytes in the kernel', async ({ host }) => {
    const limits = {
      ingressRate: 8_000_000,
      ingressBurst: 800_000,
      egressRate: 16_000_000,
      egressBurst: 1_600_000,
    };
    const before = await host.snapshot();
    const config = shaped(host, limits);
    const result = await host.add(await host.pod(), { config });
    const ingress = await tbf(host, hostEnd(result));
    expect(ingress?.rate).toBe(1_000_000);
    expect(Math.abs((ingress?.burst ?? 0) - 100_000)).toBeLessThan(2_000);
    const egress = await tbf(host, ifb(result));
    expect(egress?.rate).toBe(2_000_000);
    expect(Math.abs((egress?.burst ?? 0) - 200_000)).toBeLessThan(4_000);
    await host.ok('DEL', { config });
    await host.expectClean(before);
  });

  it.concurrent('B76: large numbers do not wrap', async ({ host }) => {
    const pod = await host.pod();
    for (const rate of [25_000_000_000, 100_000_000_000]) {
      for (const burst of [2_147_483_647, 34_359_738_360]) {
        const limits = { ingressRate: rate, ingressBurst: burst, egressRate: rate, egressBurst: burst };
        const config = shaped(host, limits);
        const result = await host.add(pod, { config });
        for (const dev of [hostEnd(result), ifb(result)]) {
          const found = await tbf(host, dev);
          expect(found?.rate).toBe(rate / 8);
          expect(Math.abs((found?.burst ?? 0) - burst / 8)).toBeLessThan(burst / 8 / 50);
        }
        await host.ok('CHECK', { netns: pod, config: { ...config, prevResult: result } });
        await host.ok('DEL', { netns: pod, config });
      }
    }
  });

  it.concurrent('B76: a burst that takes longer than the kernel can show is right for CHECK', async ({
    host,
  }) => {
    const pod = await host.pod();
    for (const subnets of [{}, { unshapedSubnets: ['192.0.2.0/24'] }]) {
      const limits = { ingressRate: 1_000_000, ingressBurst: 34_359_738_360, ...subnets };
      const config = shaped(host, limits);
      const result = await host.add(pod, { config });
      await host.ok('CHECK', { netns: pod, config: { ...config, prevResult: result } });
      await host.ok('DEL', { netns: pod, config });
    }
  });

  it.concurrent('B07, B76: what is not allowed, and a rate without a burst, is refused before anything is made', async ({
    host,
  }) => {
    const before = await host.snapshot();
    const pod = await host.pod();
    const refused = (limits: object): Promise<{ code: number; msg: string }> =>
      host.refused('ADD', { netns: pod, config: shaped(host, limits) });
    for (const bad of [2 ** 53, -1, 0.5, '1000']) {
      expect((await refused({ ingressRate: 8_000_000, ingressBurst: bad })).code).toBe(7);
      expect((await refused({ egressRate: bad, egressBurst: 800_000 })).code).toBe(7);
    }
    for (const [rate, burst] of [
      ['ingressRate', 'ingressBurst'],
      ['egressRate', 'egressBurst'],
    ] as const) {
      expect((await refused({ [rate]: 8_000_000, [burst]: 34_359_738_368 })).code).toBe(7);
    }
    const { code, msg } = await refused({ egressRate: 8_000_000 });
    expect(code).toBe(7);
    expect(msg).toContain('egressBurst');
    await host.expectClean(before);
  });

  it.concurrent('a runtime gives the limits, in its own spelling', async ({ host }) => {
    const given = { IngressRate: 8_000_000, IngressBurst: 800_000, EgressRate: 1000, EgressBurst: 1000 };
    // What the administrator has set nobody changes.
    const config = shaped(host, { ...EGRESS, runtimeConfig: { bandwidth: given } });
    const result = await host.add(await host.pod(), { config });
    expect((await tbf(host, hostEnd(result)))?.rate).toBe(1_000_000);
    expect((await tbf(host, ifb(result)))?.rate).toBe(RATE / 8);
  });

  it.concurrent('a burst smaller than a packet lets packets pass all the same', async ({ host }) => {
    const pod = await host.pod();
    const tiny = { ingressRate: RATE, ingressBurst: 8, egressRate: RATE, egressBurst: 1 };
    const { ips } = await host.add(pod, { config: shaped(host, tiny) });
    for (const { address } of ips) expect(await host.net.reaches(bare(address), '-s1400')).toBe(true);
  });

  it.concurrent('destinations that are not shaped pass by the limit', async ({ host }) => {
    await host.net.ip('addr', 'add', '192.0.2.1/32', 'dev', 'lo');
    await host.net.ip('addr', 'add', '2001:db8::1/128', 'dev', 'lo');
    const subnets = ['192.0.2.0/24', '2001:db8::/36'];
    const count = async (dev: string): Promise<number> =>
      Number(
        /Sent \d+ bytes (\d+) pkt/.exec(await host.net.run('tc', '-s', 'class', 'show', 'dev', dev))?.[1],
      );
    for (const key of ['unshapedSubnets', 'shapedSubnets']) {
      const pod = await host.pod();
      const config = shaped(host, { ...BOTH, [key]: subnets });
      const result = await host.add(pod, { id: key, config });
      await host.ok('CHECK', { id: key, netns: pod, config: { ...config, prevResult: result } });
      const seen: number[] = [];
      for (const address of [
        '192.0.2.1',
        '2001:db8::1',
        result.ips[0]?.gateway ?? '',
        result.ips[1]?.gateway ?? '',
      ]) {
        const before = await count(ifb(result));
        expect(await pod.reaches(address, '-c5', '-i0.05')).toBe(true);
        // Neighbour discovery and the like are shaped or not, but there are not five of them.
        seen.push((await count(ifb(result))) - before);
      }
      const [listed4, listed6, other4, other6] = seen.map((packets) => packets >= 5);
      const isShaped = key === 'shapedSubnets';
      expect([listed4, listed6, other4, other6]).toEqual([isShaped, isShaped, !isShaped, !isShaped]);
      await host.ok('DEL', { id: key, config });
    }
  });

  it.concurrent.for(['clsact', 'ingress'])(
    'B79: an agent that was there first with %s',
    async (kind, { host }) => {
      const before = await host.snapshot();
      host.background(host.net, [
        'sh',
        '-c',
        `while :; do for end in $(ip -o link | grep -o 'plumb[0-9a-f]\\{10\\}'); do
        tc qdisc add dev $end ${kind} 2>/dev/null &&
          tc filter add dev $end ingress prio 1 protocol ip u32 match ip dst 192.0.2.7 flowid 1:1
      done; done`,
      ]);
      const pod = await host.pod();
      const config = shaped(host, BOTH);
      // Slow enough for the agent to be always first.
      const by = [
        'strace',
        '-f',
        '-qq',
        '-o',
        '/dev/null',
        '-e',
        'trace=sendto',
        '-e',
        'inject=sendto:delay_enter=200000',
      ];
      const result = await host.add(pod, { config, by });
      const filters = (): Promise<string> =>
        host.net.run('tc', 'filter', 'show', 'dev', hostEnd(result), 'ingress');
      expect(await host.net.run('tc', 'qdisc', 'show', 'dev', hostEnd(result))).toContain(
        `qdisc ${kind} ffff:`,
      );
      expect(await filters()).toMatch(/c0000207[\s\S]*Redirect to device plumbi/);
      expect(await host.net.reaches(bare(result.ips[0]?.address))).toBe(true);
      await host.ok('CHECK', { netns: pod, config: { ...config, prevResult: result } });
      // While the device is there, what the agent has put on it is there.
      await host.net.run('ip', 'link', 'del', ifb(result));
      expect(await filters()).toContain('c0000207');
      await host.ok('DEL', { netns: pod, config });
      await host.expectClean(before);
    },
  );

  it.concurrent("somebody else's root qdisc is not replaced", async ({ host }) => {
    const before = await host.snapshot();
    host.background(host.net, [
      'sh',
      '-c',
      `while :; do for end in $(ip -o link | grep -o 'plumb[0-9a-f]\\{10\\}'); do
        tc qdisc add dev $end root handle 7: htb 2>/dev/null
      done; done`,
    ]);
    const by = [
      'strace',
      '-f',
      '-qq',
      '-o',
      '/dev/null',
      '-e',
      'trace=sendto',
      '-e',
      'inject=sendto:delay_enter=200000',
    ];
    const { code, msg } = await host.refused('ADD', {
      netns: await host.pod(),
      config: shaped(host, BOTH),
      by,
    });
    expect(code).toBe(102);
    expect(msg).toMatch(/add qdisc tbf dev plumb[0-9a-f]{10}: RTM_NEWQDISC: EEXIST/);
    await host.expectClean(before);
  });

  it.concurrent('B80: with the interfaces of other plugins before, it is our host end that is shaped', async ({
    host,
  }) => {
    const pod = await host.pod();
    await host.net.pair('other');
    const prevResult = {
      cniVersion: '1.1.0',
      interfaces: [
        { name: 'eth0', sandbox: '/run/netns/another' },
        { name: 'other' },
        { name: 'otherp', sandbox: '' },
      ],
      ips: [],
    };
    const config = shaped(host, { ...BOTH, prevResult });
    const result = await host.add(pod, { config });
    const [, , , end, , block] = result.interfaces;
    expect(end?.name).toMatch(/^plumb[0-9a-f]{10}$/);
    expect((await tbf(host, end?.name))?.rate).toBe(RATE / 8);
    expect((await tbf(host, block?.name))?.rate).toBe(RATE / 8);
    for (const dev of ['other', 'otherp']) expect(await tbf(host, dev)).toBeUndefined();
    await host.ok('CHECK', { netns: pod, config: { ...config, prevResult: result } });
  });

  it.concurrent('CHECK names each single thing that is off', async ({ host }) => {
    const pod = await host.pod();
    const faults: readonly (readonly [object, (end: string, block: string) => string, RegExp])[] = [
      [BOTH, (end) => `tc qdisc del dev ${end} root`, /ingress limit is off: plumb\w+ has no qdisc tbf/],
      [
        BOTH,
        (end) => `tc qdisc change dev ${end} root tbf rate 50mbit burst 125000 limit 1m`,
        /ingress limit on plumb\w+ is 50000000 bit\/s, not 100000000 bit\/s/,
      ],
      [
        BOTH,
        (_, block) => `tc qdisc change dev ${block} root tbf rate 100mbit burst 50000 limit 1m`,
        /egress limit on plumbi\w+ has another burst/,
      ],
      [
        BOTH,
        (_, block) => `tc qdisc del dev ${block} root`,
        /egress limit is off: plumbi\w+ has no qdisc tbf/,
      ],
      [
        BOTH,
        (end) => `tc filter del dev ${end} ingress`,
        /egress limit is off: plumb\w+ does not lead to plumbi/,
      ],
      [
        BOTH,
        (end) => `tc qdisc del dev ${end} clsact`,
        /egress limit is off: plumb\w+ does not lead to plumbi/,
      ],
      [BOTH, (_, block) => `ip link set ${block} down`, /plumbi\w+, which limits egress, is down/],
      [BOTH, (_, block) => `ip link del ${block}`, /egress limit is off: plumbi\w+ is missing/],
      [
        { ...INGRESS, shapedSubnets: ['192.0.2.0/24'] },
        (end) => `tc filter del dev ${end} parent 1: prio 16`,
        /ingress limit on plumb\w+ is for other subnets/,
      ],
    ];
    for (const [limits, breakIt, message] of faults) {
      const config = shaped(host, limits);
      const result = await host.add(pod, { config });
      const check = { netns: pod, config: { ...config, prevResult: result } };
      await host.ok('CHECK', check);
      await host.net.sh(breakIt(hostEnd(result), ifb(result)));
      const { code, msg } = await host.refused('CHECK', check);
      expect(code).toBe(102);
      expect(msg).toMatch(message);
      expect(msg.split(';')).toHaveLength(1);
      await host.ok('DEL', { netns: pod, config });
    }
  });

  it.concurrent('no ifb stays behind: DEL after the namespace, GC, an ADD that fails, an ADD after a lost DEL', async ({
    host,
  }) => {
    const before = await host.snapshot();
    const config = shaped(host, EGRESS);
    const ifbs = async (): Promise<string[]> =>
      (await host.net.links()).filter((link) => link.startsWith('plumbi'));
    const hostEnds = async (): Promise<string[]> =>
      (await host.net.links()).filter((link) => /^plumb[0-9a-f]{10}$/.test(link));
    const lose = async (): Promise<void> => {
      const pod = await host.pod();
      await host.add(pod, { config });
      await pod.remove();
      await until(async () => (await hostEnds()).length === 0);
      expect(await ifbs()).toHaveLength(1);
    };
    await lose();
    await host.ok('DEL', { config });
    await host.expectClean(before);
    await lose();
    await host.ok('GC', { config: { ...config, 'cni.dev/valid-attachments': [] } });
    await host.expectClean(before);
    // What has lost even its record is found by its alias, and, on a network that does not know it, by its lost host end.
    await lose();
    await host.net.sh(`rm -r ${host.runDir} ${host.dataDir}`);
    const elsewhere = { ...config, name: 'other', 'cni.dev/valid-attachments': [] };
    await host.ok('GC', { config: elsewhere });
    expect(await ifbs()).toEqual([]);
    await lose();
    await host.ok('DEL', { id: 'c2', config });
    const again = await host.pod();
    await host.net.sh(`rm -r ${host.runDir} ${host.dataDir}`);
    await host.add(again, { config });
    expect(await ifbs()).toHaveLength(1);
    await host.ok('DEL', { config });
    await host.expectClean(before);
    const bad = { ...config, runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80 }] } };
    const first = await host.pod();
    await host.add(first, { config: bad });
    expect((await host.refused('ADD', { id: 'c2', netns: await host.pod(), config: bad })).code).toBe(105);
    expect(await ifbs()).toHaveLength(1);
    await host.ok('DEL', { config: bad });
    await host.expectClean(before);
  });

  it.concurrent('a link of the name that is not ours is left alone', async ({ host }) => {
    const pod = await host.pod();
    const config = shaped(host, EGRESS);
    const { interfaces } = await host.add(pod, { config });
    await host.ok('DEL', { config });
    const foreign = interfaces[2]?.name ?? '';
    await host.net.ip('link', 'add', foreign, 'type', 'ifb');
    const before = await host.snapshot();
    const { code, msg } = await host.refused('ADD', { netns: pod, config });
    expect(code).toBe(100);
    expect(msg).toContain(foreign);
    await host.ok('DEL', { config });
    await host.ok('GC', { config: { ...config, 'cni.dev/valid-attachments': [] } });
    await host.expectClean(before);
  });
});
