import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import {
  type Added,
  type Config,
  endless,
  exec,
  type Host,
  hostTest,
  inLanes,
  type Namespace,
  straceLines,
  until,
} from '../support/host.ts';
import { INSTALLED, isEverything, repetitions } from '../support/plugin.ts';
import { outside } from '../support/traffic.ts';

// Reports from the field, B: interfaces, addresses, routes. One or more tests for each report, on the executables.

async function sysctls(space: Namespace, subtree: string): Promise<string> {
  const { stdout } = await exec([
    ...space.enter,
    'sh',
    '-c',
    `cd /proc/sys/net/${subtree}; grep -r . . 2>/dev/null`,
  ]);
  return stdout
    .split('\n')
    .filter((line) => !/plumb[0-9a-f]{10}|stable_secret/.test(line))
    .sort()
    .join('\n');
}

describe.concurrent.each(INSTALLED)('%s', (name) => {
  const test = hostTest(name);

  test.for([
    ['10.99.0.2/32 dev old'],
    ['10.99.0.2/32 via 192.0.2.2 dev old'],
    ['blackhole 10.99.0.2/32'],
    ['unreachable 10.99.0.2/32'],
    ['prohibit 10.99.0.2/32'],
    ['10.99.0.2/32 dev old metric 5'],
    ['fd99::2/128 dev old'],
    ['fd99::2/128 dev old metric 5'],
    ['blackhole fd99::2/128'],
    ['unreachable fd99::2/128 metric 5'],
  ] as const)(
    'B25: a stale route does not keep the container from the host: %s',
    async ([route], { host }) => {
      const pod = await host.pod();
      await host.net.pair('old');
      await host.net.ip('address', 'add', '192.0.2.1/24', 'dev', 'old');
      await host.net.ip(...(route.includes('::') ? ['-6'] : []), 'route', 'add', ...route.split(' '));
      const config = host.c46();
      const { ips } = await host.add(pod, { config });
      expect(ips.map(({ address }) => address)).toEqual(['10.99.0.2/29', 'fd99::2/64']);
      expect(await host.net.reaches('10.99.0.2')).toBe(true);
      expect(await host.net.reaches('fd99::2')).toBe(true);
      expect(await pod.reaches('10.99.0.1')).toBe(true);
      expect(await pod.reaches('fd99::1')).toBe(true);
      await host.ok('DEL', { netns: pod, config });
    },
  );

  test('B26: five containers with rp_filter=1 and no neighbours known reach gateway, each other, and the outside (not again after 60 s)', async ({
    host,
  }) => {
    await host.net.sh('for i in all default; do echo 1 >/proc/sys/net/ipv4/conf/$i/rp_filter; done');
    await outside(host);
    const pods = await host.pods(5);
    const addresses = ['10.99.0.1', '203.0.113.2'];
    for (const [i, pod] of pods.entries()) {
      const { ips } = await host.add(pod, { id: `c${i}` });
      addresses.push(ips[0]?.address.split('/')[0] ?? '');
    }
    const ends = await host.ends();
    expect(ends).toHaveLength(5);
    for (const end of ends) {
      expect((await host.net.sh(`cat /proc/sys/net/ipv4/conf/${end}/rp_filter`)).trim()).toBe('1');
    }
    for (const space of [host.net, ...pods]) await space.ip('neigh', 'flush', 'all');
    for (const pod of pods) {
      const answers = await Promise.all(addresses.map((address) => pod.reaches(address)));
      expect(addresses.filter((_, i) => answers[i] !== true)).toEqual([]);
    }
  });

  test('B27: IPv6 addresses work as soon as ADD returns, which takes no second longer for them', async ({
    host,
  }) => {
    const pod = await host.pod();
    const bind = [
      '/usr/bin/python3',
      '-c',
      'import socket; socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).bind(("fd99::2", 5353))',
    ];
    const add = async (config: Config): Promise<number> => {
      const began = performance.now();
      await host.add(pod, { config });
      return performance.now() - began;
    };
    await add(host.c46());
    for (const space of [host.net, pod]) {
      expect(await space.ip('-6', 'address', 'show', 'tentative')).toBe('');
      expect(await space.ip('-6', 'address', 'show', 'dadfailed')).toBe('');
    }
    await pod.run(...bind);
    expect(await pod.ip('-6', 'address', 'show', 'dev', 'eth0')).toContain('fd99::2/64');
    await host.ok('DEL', { netns: pod, config: host.c46() });
    const times: { four: number[]; both: number[] } = { four: [], both: [] };
    for (let i = 0; i < 3; i++) {
      for (const [key, config] of [
        ['four', host.c4()],
        ['both', host.c46()],
      ] as const) {
        times[key].push(await add(config));
        await host.ok('DEL', { netns: pod, config });
      }
    }
    expect(Math.min(...times.both)).toBeLessThan(Math.min(...times.four) + 300);
  });

  test('B28: an IPv4 network works where IPv6 is switched off', async ({ host }) => {
    const pod = await host.pod();
    const off = 'for i in all default; do echo 1 >/proc/sys/net/ipv6/conf/$i/disable_ipv6; done';
    await host.net.sh(off);
    await pod.sh(off);
    const before = await host.snapshot();
    const prevResult = await host.add(pod);
    expect(await host.net.reaches('10.99.0.2')).toBe(true);
    await host.ok('CHECK', { netns: pod, config: { ...host.c4(), prevResult } });
    await host.ok('DEL', { netns: pod });
    await host.expectClean(before);
  });

  test('B28: an IPv4 network works where there are no IPv6 sysctls, and none is opened for writing', async ({
    host,
  }) => {
    const pod = await host.pod();
    const before = await host.snapshot();
    const trace = `${host.scratch}/trace`;
    const by = [
      ...['unshare', '--mount', 'sh', '-euc', 'mount -t tmpfs tmpfs /proc/sys/net/ipv6; exec "$@"', 'sh'],
      ...['strace', '-f', '-A', '-o', trace, '-e', 'trace=%file'],
    ];
    const prevResult = await host.add(pod, { by });
    expect(await host.net.reaches('10.99.0.2')).toBe(true);
    await host.ok('CHECK', { netns: pod, by, config: { ...host.c4(), prevResult } });
    await host.ok('DEL', { netns: pod, by });
    await host.expectClean(before);
    // Where they are there to be opened, one is: that which takes IPv6 from the host end.
    await host.add(pod, { by: by.slice(6) });
    const opened = straceLines(trace).filter((line) => line.includes('/proc/sys/net/'));
    expect(opened).not.toEqual([]);
    const written = opened.filter((line) => /ipv6.*(O_WRONLY|O_RDWR)/.test(line));
    expect(written).toHaveLength(1);
    expect(written[0]).toMatch(/\/conf\/plumb[0-9a-f]{10}\/disable_ipv6"/);
  });

  test('B31: a default route from router advertisements outlives the switch to forwarding; IPv4 alone switches nothing', async ({
    host,
  }) => {
    const pod = await host.pod();
    await host.net.sh('echo 0 >/proc/sys/net/ipv6/conf/all/forwarding');
    const conf = '/proc/sys/net/ipv6/conf';
    for (const uplink of ['up0', 'up.1']) {
      await host.net.pair(uplink);
      await host.net.sh(`echo 1 >${conf}/${uplink}/accept_ra`);
    }
    await host.net.ip('-6', 'route', 'add', 'default', 'via', 'fe80::1', 'dev', 'up.1', 'proto', 'ra');
    const before = await sysctls(host.net, 'ipv6');
    const routes = await host.net.ip('-6', 'route', 'show', 'default');
    await host.add(pod);
    expect(await sysctls(host.net, 'ipv6')).toBe(before);
    await host.ok('DEL', { netns: pod });
    await host.add(pod, { config: host.c46() });
    expect(await host.net.ip('-6', 'route', 'show', 'default')).toBe(routes);
    const values = `cd ${conf}; cat all/forwarding up.1/accept_ra up0/accept_ra`;
    expect(await host.net.sh(values)).toBe('1\n2\n1\n');
  });

  test('B31: the same with a real router advertisement', async ({ host }) => {
    const pod = await host.pod();
    const router = await host.pod();
    const conf = '/proc/sys/net/ipv6/conf';
    await host.net.sh(`echo 0 >${conf}/all/forwarding`);
    await host.net.ip('link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'up0', 'netns', router.name);
    await router.ip('link', 'set', 'up0', 'addrgenmode', 'none');
    await router.ip('link', 'set', 'up0', 'up');
    await router.ip('address', 'add', 'fe80::1/64', 'dev', 'up0', 'nodad');
    await host.net.sh(`echo 1 >${conf}/up0/accept_ra`);
    await host.net.ip('link', 'set', 'up0', 'up');
    // RFC 4861, section 4.2: type 134, hop limit 64, lifetime 1800 s.
    const advertise = `
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
s.sendto(bytes([134, 0, 0, 0, 64, 0, 1800 >> 8, 1800 & 255] + 8 * [0]), ("ff02::1", 0, 0, socket.if_nametoindex("up0")))`;
    const learned = async (): Promise<string> => {
      await router.run('/usr/bin/python3', '-c', advertise);
      return host.net.ip('-6', 'route', 'show', 'default');
    };
    await until(async () => /via fe80::1 dev up0 proto ra/.test(await learned()));
    await host.add(pod, { config: host.c46() });
    expect(await host.net.ip('-6', 'route', 'show', 'default')).toMatch(/via fe80::1 dev up0 proto ra/);
    expect(await host.net.sh(`cat ${conf}/up0/accept_ra`)).toBe('2\n');
  });

  test.for([
    [1400, 1400],
    [1280, 1280],
    [9000, 9000],
    [0, 1500],
    [undefined, 1500],
  ] as const)('B32: mtu %s makes both ends %i', async ([mtu, expected], { host }) => {
    const pod = await host.pod();
    const config = host.c46({}, mtu === undefined ? {} : { mtu });
    const { interfaces, ips } = await host.add(pod, { config });
    const inside = JSON.parse(await pod.ip('-j', 'link', 'show', 'eth0'));
    const outside = JSON.parse(await host.net.ip('-j', 'link', 'show', interfaces[0]?.name ?? ''));
    expect([inside[0].mtu, outside[0].mtu]).toEqual([expected, expected]);
    expect(ips).toHaveLength(2);
    expect(await pod.reaches('fd99::1')).toBe(true);
  });

  test.for([
    [-1, 'c4'],
    [70000, 'c4'],
    ['1400', 'c4'],
    [1400.5, 'c4'],
    [67, 'c4'],
    [1279, 'c46'],
  ] as const)('B32: mtu %j is error 7 with %s, and nothing is made', async ([mtu, network], { host }) => {
    const pod = await host.pod();
    const before = await host.snapshot();
    const { code, msg } = await host.refused('ADD', { netns: pod, config: host[network]({}, { mtu }) });
    expect(code).toBe(7);
    expect(msg).toMatch(/\bmtu\b/);
    expect(msg).toContain(String(mtu));
    await host.expectClean(before);
    expect(await pod.links()).toEqual(['lo']);
  });

  test('B34: CHECK straight after ADD passes', async ({ host }) => {
    const pod = await host.pod();
    for (const config of [host.c4(), host.c46({}, { mtu: 1400 })]) {
      const prevResult = await host.add(pod, { config });
      await host.ok('CHECK', { netns: pod, config: { ...config, prevResult } });
      await host.ok('DEL', { netns: pod, config });
    }
  });

  const faults: readonly (readonly [string, (host: Host, pod: Namespace, end: string) => unknown, RegExp])[] =
    [
      ['address', (_, pod) => pod.ip('address', 'del', '10.99.0.2/29', 'dev', 'eth0'), /10\.99\.0\.2/],
      ['route', (_, pod) => pod.ip('route', 'del', 'default'), /route 0\.0\.0\.0\/0/],
      ['host route', (host) => host.net.ip('route', 'del', '10.99.0.2'), /route to 10\.99\.0\.2/],
      ['host veth down', (host, _, end) => host.net.ip('link', 'set', end, 'down'), /down/],
      ['link down', (_, pod) => pod.ip('link', 'set', 'eth0', 'down'), /eth0 .*down/],
      ['MTU', (host, _, end) => host.net.ip('link', 'set', end, 'mtu', '1300'), /MTU 1300/],
      ['MAC', (_, pod) => pod.ip('link', 'set', 'eth0', 'address', '02:00:00:00:00:09'), /02:00:00:00:00:09/],
      [
        'masquerade rule',
        (host, _, end) => host.net.run('nft', `delete element inet plumb masq { ${end} }`),
        /masquerad/,
      ],
      ['masquerade chain', (host) => host.net.run('nft', 'flush chain inet plumb postrouting'), /masquerad/],
      ['masquerade table', (host) => host.net.run('nft', 'delete table inet plumb'), /masquerad/],
      ['lease', (host) => rmSync(`${host.dataDir}/t/10.99.0.2`), /lease of 10\.99\.0\.2/],
      ['interface', (_, pod) => pod.ip('link', 'del', 'eth0'), /eth0/],
      [
        'gateway',
        (host, _, end) => host.net.ip('address', 'del', '10.99.0.1/32', 'dev', end),
        /10\.99\.0\.1/,
      ],
      ['gateway route', (_, pod) => pod.ip('route', 'flush', '10.99.0.1'), /10\.99\.0\.1/],
      ['forwarding', (host) => host.net.sh('echo 0 >/proc/sys/net/ipv4/ip_forward'), /forward/],
    ];
  test.for(faults)('B34: CHECK names what is off: %s', async ([, breakIt, message], { host }) => {
    const pod = await host.pod();
    const before = await host.snapshot();
    const prevResult = await host.add(pod);
    await breakIt(host, pod, prevResult.interfaces[0]?.name ?? '');
    const { msg } = await host.refused('CHECK', { netns: pod, config: { ...host.c4(), prevResult } });
    expect(msg).toMatch(message);
    await host.ok('DEL', { netns: pod });
    await host.expectClean(before);
  });

  test('a host on which new links do not forward: ours does, and CHECK sees when it does not', async ({
    host,
  }) => {
    await host.net.sh('cd /proc/sys/net/ipv4; echo 1 >ip_forward; echo 0 >conf/default/forwarding');
    const [one, two] = await host.pods(2);
    const prevResult = await host.add(one ?? '');
    await host.add(two ?? '', { id: 'c2' });
    expect(await one?.reaches('10.99.0.3')).toBe(true);
    const name = prevResult.interfaces[0]?.name ?? '';
    await host.net.sh(`echo 0 >/proc/sys/net/ipv4/conf/${name}/forwarding`);
    const config = { ...host.c4(), prevResult };
    const { msg } = await host.refused('CHECK', { netns: one ?? '', config });
    expect(msg).toBe(`network t: IPv4 forwarding is off for ${name}`);
  });

  test('B34: CHECK sees a host route that took the place of ours, and one that overrules it', async ({
    host,
  }) => {
    const pod = await host.pod();
    const config = host.c46();
    const prevResult = await host.add(pod, { config });
    await host.net.pair('old');
    await host.net.sh(`ip -6 route del fd99::2; ip -6 route add fd99::2 dev ${prevResult.interfaces[0]?.name}
      ip -6 route add fd99::2 dev old metric 5`);
    const { msg } = await host.refused('CHECK', { netns: pod, config: { ...config, prevResult } });
    expect(msg).toMatch(/host route to fd99::2 .*overruled/);
    await host.net.sh('ip -6 route del fd99::2 dev old; ip -6 route add unreachable fd99::2 metric 5');
    const unreachable = await host.refused('CHECK', { netns: pod, config: { ...config, prevResult } });
    expect(unreachable.msg).toMatch(/host route to fd99::2 .*overruled/);
    await host.net.ip('route', 'replace', '10.99.0.2', 'dev', 'old');
    const both = await host.refused('CHECK', { netns: pod, config: { ...config, prevResult } });
    expect(both.msg).toMatch(/host route to 10\.99\.0\.2 .*missing/);
  });

  test('B36: a foreign link with the name of our host end is named in the error, and stays', async ({
    host,
  }) => {
    const pod = await host.pod();
    const { interfaces } = await host.add(pod);
    const end = interfaces[0]?.name ?? '';
    await host.ok('DEL', { netns: pod });
    await host.net.pair('other');
    await host.net.ip('link', 'set', 'other', 'down');
    await host.net.ip('link', 'set', 'other', 'name', end);
    const before = await host.snapshot();
    const { msg } = await host.refused('ADD', { netns: pod });
    expect(msg).toContain(end);
    await host.expectClean(before);
    await host.ok('DEL', { netns: pod });
    await host.ok('GC', { config: { ...host.c4(), 'cni.dev/valid-attachments': [] } });
    await host.expectClean(before);
  });

  test('B34: nft(8) shows whose masquerading it is', async ({ host }) => {
    const pod = await host.pod();
    const { interfaces } = await host.add(pod);
    expect(await host.elements()).toEqual([interfaces[0]?.name]);
  });

  const ups = repetitions(name === 'plumb' ? 50 : 5);
  test(`B39: ${ups} cycles while every link is set up as soon as it is there`, async ({ host }) => {
    const pod = await host.pod();
    for (const space of [host.net, pod]) {
      host.background(space, endless(['link set group default up'], 0.005));
    }
    const before = await host.snapshot();
    for (let i = 0; i < ups; i++) {
      await host.add(pod);
      await host.ok('DEL', { netns: pod });
    }
    await host.expectClean(before);
  });

  /** Links, addresses and routes come and go, on the host and in the container. Nothing of it is left after `stop`. */
  async function unrest(host: Host, pods: readonly Namespace[]): Promise<() => Promise<void>> {
    for (const space of [host.net, ...pods]) {
      await space.pair('busy');
      // So many that a dump of routes is more than one datagram, or there would be nothing to interrupt.
      await space.sh(
        'for i in $(seq 0 3); do for j in $(seq 0 99); do echo "route add 172.17.$i.$j dev busy table 99"; done; done | ip -batch -',
      );
    }
    // With a pause, or the loops would have the processors and the kernel's lock for links to themselves.
    const batch = (lines: string[]): string[] => endless(lines, 0.05);
    const veth = (n: number): string[] =>
      Array.from({ length: 5 }, () => [`link add v${n} type veth peer name w${n}`, `link del v${n}`]).flat();
    const each = (verbs: string[], words: (i: number) => string): string[] =>
      verbs.flatMap((verb) => Array.from({ length: 40 }, (_, i) => words(i).replace('VERB', verb)));
    const stops = [
      host.background(host.net, batch(veth(1))),
      host.background(host.net, batch(veth(2))),
      host.background(
        host.net,
        batch(each(['add', 'del'], (i) => `address VERB 192.168.${i}.1/24 dev busy`)),
      ),
      host.background(
        host.net,
        batch(each(['add', 'del'], (i) => `route VERB 172.16.${i}.0/24 dev busy table 99`)),
      ),
      ...pods.map((pod) =>
        host.background(
          pod,
          batch([
            ...each(['add', 'del'], (i) => `address VERB 192.168.${i}.1/24 dev busy`),
            ...each(['add', 'del'], (i) => `route VERB 172.16.${i}.0/24 dev busy table 99`),
          ]),
        ),
      ),
    ];
    return async () => {
      for (const stop of stops) await stop();
      await exec([...host.net.enter, 'ip', 'link', 'del', 'v1']);
      await exec([...host.net.enter, 'ip', 'link', 'del', 'v2']);
      await host.net.ip('link', 'del', 'busy');
      await exec([...host.net.enter, 'ip', 'route', 'flush', 'table', '99']);
    };
  }

  // They take the processors from whatever else is tested.
  const cycles = isEverything() && name === 'plumb' ? 200 : 20;
  test(`B40: ${cycles} cycles of ADD, CHECK and DEL while links, addresses and routes change all the time`, async ({
    host,
  }) => {
    const pods = await host.pods(2);
    const before = await host.snapshot();
    const stop = await unrest(host, pods);
    const config = host.c46();
    const free = [...pods];
    await inLanes(cycles, pods.length, async (i) => {
      const netns = free.pop();
      if (netns === undefined) throw new Error('as many lanes as pods');
      const options = { id: `c${i}`, netns, config };
      const prevResult: Added = await host.add(netns, options);
      await host.ok('CHECK', { ...options, config: { ...config, prevResult } });
      await host.ok('DEL', options);
      free.push(netns);
    });
    await stop();
    await host.expectClean(before);
  });

  test('B41: no EBUSY from a dump that was not read to its end', async ({ host }) => {
    const pod = await host.pod();
    const stop = await unrest(host, [pod]);
    const config = host.c46();
    const trace = `${host.scratch}/trace`;
    const by = ['strace', '-f', '-A', '-o', trace, '-e', 'trace=sendto,recvfrom,sendmsg,recvmsg'];
    for (let i = 0; i < repetitions(name === 'plumb' ? 10 : 2); i++) {
      const prevResult: Added = await host.add(pod, { config, by });
      await host.ok('CHECK', { netns: pod, by, config: { ...config, prevResult } });
      await host.ok('DEL', { netns: pod, config, by });
    }
    await host.ok('GC', { by, config: { ...config, 'cni.dev/valid-attachments': [] } });
    await stop();
    const text = readFileSync(trace, 'latin1');
    expect(text).toContain('RTM_GETLINK');
    expect(text.match(/EBUSY/g)).toBeNull();
  });

  test('B42: ADD with 100 port mappings and DEL with 500 rules in our tables, and no room for answers in the receive buffer', async ({
    host,
  }) => {
    const pod = await host.pod();
    const other = await host.pod();
    const config = (firstPort: number, ports: number): Config => {
      const portMappings = Array.from({ length: ports }, (_, i) => ({
        hostPort: firstPort + i,
        containerPort: 80,
        protocol: i % 2 === 0 ? 'tcp' : 'udp',
      }));
      const bandwidth = { egressRate: 8_000_000, egressBurst: 800_000 };
      return host.c46({}, { runtimeConfig: { portMappings, bandwidth } });
    };
    await host.add(other, { id: 'other', config: config(7000, 2) });
    await host.net.sh(
      `for i in $(seq 500); do
        echo "add rule inet plumb postrouting ip saddr 192.0.2.1 counter accept"
        echo "add rule inet plumb-ports postrouting ip saddr 192.0.2.1 counter accept"
      done | nft -f -`,
    );
    const before = await host.snapshot();
    const of = { netns: pod, config: config(8000, 100) };
    // net.core.rmem_default cannot be set in a namespace: each netlink socket gets the least buffer after it is made.
    const by = ['/usr/bin/python3', join(import.meta.dirname, '../support/small-buffers.py')];
    for (const recorded of [true, false]) {
      const prevResult = await host.add(pod, { ...of, by });
      const list = await host.net.run('nft', 'list', 'table', 'inet', 'plumb-ports');
      expect(list.match(/comment "plumb\w+ t eth0 c1"/g)).toHaveLength(200);
      await host.ok('CHECK', { ...of, by, config: { ...of.config, prevResult } });
      // Without its record DEL reads through all that there is.
      if (!recorded) rmSync(`${host.runDir}/t/${prevResult.interfaces[0]?.name}.json`);
      await host.ok('DEL', { ...of, by });
      await host.expectClean(before);
    }
  });

  const spaces = repetitions(name === 'plumb' ? 100 : 10);
  test.for(['1', '64'])(
    `B43: ${spaces} cycles with UV_THREADPOOL_SIZE=%s do everything in the right namespace`,
    async (size, { host }) => {
      const pods = await host.pods(2);
      const env = { UV_THREADPOOL_SIZE: size };
      const before = await host.snapshot();
      const state = (pod: Namespace): Promise<string> =>
        pod.sh('cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding; nft list ruleset');
      const untouched = await state(pods[0] ?? host.net);
      const config = host.c46();
      const free = [...pods];
      await inLanes(spaces, pods.length, async (i) => {
        const pod = free.pop();
        if (pod === undefined) throw new Error('as many lanes as pods');
        const { interfaces } = await host.add(pod, { id: `c${i}`, env, config });
        expect(await pod.links()).toEqual(['lo', 'eth0']);
        expect(await state(pod)).toBe(untouched);
        expect(await host.elements()).toContain(interfaces[0]?.name);
        await host.ok('DEL', { id: `c${i}`, netns: pod, env, config });
        free.push(pod);
      });
      for (const pod of pods) {
        expect(await pod.links()).toEqual(['lo']);
        expect(await state(pod)).toBe(untouched);
      }
      await host.expectClean(before);
    },
  );
});
