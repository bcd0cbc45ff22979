import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { type Config, type Host, hostTest, type Namespace } from '../support/host.ts';
import { INSTALLED } from '../support/plugin.ts';
import { uplink } from '../support/uplink.ts';

const TALK = join(import.meta.dirname, '../support/talk.ts');

interface Traced {
  readonly arrives: boolean;
  readonly hops: readonly {
    readonly where: string;
    readonly outcome: string;
    readonly what: string;
    readonly remedy?: string;
  }[];
  readonly sent?: { readonly arrived: string };
}

describe.concurrent.each(INSTALLED)('%s', (name) => {
  const test = hostTest(name);

  async function trace(host: Host, pod: Namespace, ...args: readonly string[]) {
    const { status, stdout, stderr } = await host.cli('trace', pod.path, ...args, '--json');
    expect(stderr).toBe('');
    const value: Traced = JSON.parse(stdout);
    return { status, value };
  }

  async function serve(host: Host, pod: Namespace, port: number): Promise<void> {
    await host.serve([...pod.enter, process.execPath, TALK, 'serve', String(port)]).ready;
  }

  /** Two containers, a server on port 80 of the second, which port 8080 of the host leads to. */
  async function setUp(host: Host, config: Config = host.c4()) {
    const outside = await uplink(host);
    const [a, b] = [await host.pod(), await host.pod()];
    host.configure([config]);
    await host.add(a, { id: 'a', config });
    const { interfaces } = await host.add(b, {
      id: 'b',
      config: { ...config, runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80 }] } },
    });
    await serve(host, b, 80);
    const ends = await host.ends();
    return { outside, a, b, endOfB: interfaces[0]?.name ?? '', ends };
  }

  /** Where a packet stops, why, and how to mend it; it must stop, and be said to. */
  async function stop(host: Host, pod: Namespace, ...args: readonly string[]) {
    const { status, value } = await trace(host, pod, ...args);
    expect(value, JSON.stringify(value.hops)).toMatchObject({ arrives: false });
    expect(status).toBe(1);
    expect(value.hops.slice(0, -1).filter(({ outcome }) => outcome === 'stops')).toEqual([]);
    const last = value.hops.at(-1);
    expect(last?.outcome).toBe('stops');
    return last;
  }

  test('the way outside, to a port of the host and to another container, and that it is so', async ({
    host,
  }) => {
    const { outside, a, b, endOfB } = await setUp(host);
    await serve(host, outside, 81);
    const far = await trace(host, a, '192.0.2.2:81', '--send');
    expect(far).toMatchObject({ status: 0, value: { arrives: true, sent: { arrived: 'yes' } } });
    expect(far.value.hops.map(({ where, what }) => `${where}: ${what}`)).toEqual([
      'container: routed via 10.99.0.1 dev eth0, from 10.99.0.2',
      expect.stringMatching(/^container: eth0 leads to plumb[0-9a-f]{10} on the host$/),
      'host: forwarded dev up0',
      'host: masqueraded: 192.0.2.2 sees 192.0.2.1',
      'host: it leaves by up0; what becomes of it there is not known here',
    ]);
    const mapped = await trace(host, a, '192.0.2.1:8080', '--send');
    expect(mapped).toMatchObject({ status: 0, value: { arrives: true, sent: { arrived: 'yes' } } });
    expect(mapped.value.hops.slice(2).map(({ where, what }) => `${where}: ${what}`)).toEqual([
      'host: port 8080/tcp of the host leads to 10.99.0.3:80',
      `host: forwarded dev ${endOfB}`,
      'host: it keeps its source 10.99.0.2, to which 10.99.0.3 must have a route',
      'container b: eth0 has 10.99.0.3',
      'container b: a program listens on port 80/tcp',
    ]);
    const own = await trace(host, b, '192.0.2.1:8080', '--send');
    expect(own).toMatchObject({ status: 0, value: { sent: { arrived: 'yes' } } });
    expect(own.value.hops.map(({ what }) => what)).toContain('masqueraded: 10.99.0.3 sees 10.99.0.1');
    expect(await trace(host, a, '10.99.0.3:80', '--send')).toMatchObject({
      status: 0,
      value: { arrives: true, sent: { arrived: 'yes' } },
    });
    expect(await trace(host, a, '10.99.0.3:80', '--udp', '--send')).toMatchObject({
      status: 0,
      value: { arrives: true, sent: { arrived: 'yes' } },
    });
    const text = await host.cli('trace', a.name, '10.99.0.3:80');
    expect(text.status).toBe(0);
    expect(text.stdout.split('\n')[0]).toBe(
      'ok      container: routed via 10.99.0.1 dev eth0, from 10.99.0.2',
    );
  });

  test('IPv6, and the host itself', async ({ host }) => {
    const { a, b } = await setUp(host, host.c46());
    for (const to of ['[fd99::3]:80', '10.99.0.3:80']) {
      expect(await trace(host, a, to, '--send')).toMatchObject({
        status: 0,
        value: { arrives: true, sent: { arrived: 'yes' } },
      });
    }
    await serve(host, host.net, 82);
    for (const to of ['[fd99::1]:82', '10.99.0.1:82', '192.0.2.1:82']) {
      expect(await trace(host, b, to, '--send')).toMatchObject({
        status: 0,
        value: { arrives: true, sent: { arrived: 'yes' } },
      });
    }
    expect(await stop(host, b, '[2001:db8::1]:80')).toMatchObject({
      where: 'host',
      what: 'the host has no route to 2001:db8::1 (ENETUNREACH)',
    });
  });

  test('it stops where nobody listens', async ({ host }) => {
    const { a } = await setUp(host);
    for (const [to, where] of [
      ['10.99.0.3:81', 'container b'],
      ['192.0.2.1:81', 'host'],
      ['10.99.0.2:81', 'container'],
    ]) {
      expect(await stop(host, a, to ?? '')).toMatchObject({
        where,
        what: 'no program listens on port 81/tcp',
      });
      expect(await stop(host, a, to ?? '', '--send')).toBeDefined();
    }
    const { value } = await trace(host, a, '10.99.0.3:81', '--send');
    expect(value.sent).toMatchObject({ arrived: 'no', what: expect.stringMatching(/^refused: /) });
  });

  test('it stops where a route, the forwarding or a link is missing', async ({ host }) => {
    const { a, b, ends, endOfB } = await setUp(host);
    const endOfA = ends.find((end) => end !== endOfB) ?? '';
    await a.ip('route', 'del', 'default');
    expect(await stop(host, a, '192.0.2.2:80')).toEqual({
      where: 'container',
      outcome: 'stops',
      what: 'there is no route to 192.0.2.2 (ENETUNREACH)',
      remedy: expect.stringContaining(`nsenter --net=${a.path} ip route add 192.0.2.2 via`),
    });
    await host.net.run('sysctl', '-qw', `net.ipv4.conf.${endOfA}.forwarding=0`);
    expect(await stop(host, a, '10.99.0.3:80')).toMatchObject({
      where: 'host',
      what: `the host does not forward IPv4 from ${endOfA}`,
    });
    await host.net.run('sysctl', '-qw', 'net.ipv4.ip_forward=0');
    expect(await stop(host, a, '10.99.0.3:80')).toMatchObject({
      where: 'host',
      what: 'the host does not forward IPv4',
      remedy: 'sysctl -w net.ipv4.ip_forward=1',
    });
    await host.net.run('sysctl', '-qw', 'net.ipv4.ip_forward=1');
    await b.ip('link', 'set', 'dev', 'eth0', 'down');
    expect(await stop(host, a, '10.99.0.3:80')).toMatchObject({ where: 'container b', what: 'eth0 is down' });
    await host.net.ip('link', 'set', 'dev', endOfA, 'down');
    expect(await stop(host, a, '10.99.0.3:80')).toMatchObject({
      where: 'host',
      what: `${endOfA}, the other end of eth0, is down`,
    });
    expect(await stop(host, b, '10.99.0.2:80')).toMatchObject({
      where: 'container',
      what: 'there is no route to 10.99.0.2 (ENETUNREACH), and eth0 is down, which has no routes then',
    });
  });

  test('it stops where the host drops it: the answer’s route, rp_filter, gateway', async ({ host }) => {
    const { a, ends, endOfB } = await setUp(host);
    const endOfA = ends.find((end) => end !== endOfB) ?? '';
    await host.net.ip('route', 'del', '10.99.0.2');
    expect(await stop(host, a, '10.99.0.3:80')).toMatchObject({
      where: 'host',
      what: "the answer does not find back: the host's route to 10.99.0.2 leads to up0",
      remedy: `ip route replace 10.99.0.2 dev ${endOfA} scope link`,
    });
    await host.net.run('sysctl', '-qw', `net.ipv4.conf.${endOfA}.rp_filter=1`);
    expect(await stop(host, a, '10.99.0.3:80')).toMatchObject({
      where: 'host',
      what: "rp_filter drops it: the host's route to 10.99.0.2 leads to up0",
    });
    await host.net.sh(`for i in ${ends.join(' ')}; do ip addr del 10.99.0.1/32 dev $i; done`);
    expect(await stop(host, a, '10.99.0.3:80')).toMatchObject({
      where: 'container',
      what: `nobody answers for 10.99.0.1: ${endOfA} does not have that address`,
    });
  });

  test('it stops at antiSpoofing and ingressPolicy', async ({ host }) => {
    const { a, ends, endOfB } = await setUp(
      host,
      host.c4({}, { antiSpoofing: true, ingressPolicy: 'isolated' }),
    );
    const endOfA = ends.find((end) => end !== endOfB) ?? '';
    expect(await trace(host, a, '192.0.2.2:80')).toMatchObject({ status: 0, value: { arrives: true } });
    const apart = {
      where: 'host',
      what: `ingressPolicy keeps ${endOfA} and ${endOfB} apart`,
    };
    expect(await stop(host, a, '10.99.0.3:80')).toMatchObject(apart);
    expect((await trace(host, a, '10.99.0.3:80', '--send')).value.sent).toMatchObject({ arrived: 'no' });
    await a.ip('link', 'set', 'dev', 'eth0', 'address', '02:00:00:00:00:99');
    expect(await stop(host, a, '192.0.2.2:80')).toMatchObject({
      where: 'host',
      what: `antiSpoofing of ${endOfA} drops what comes from 10.99.0.2 with 02:00:00:00:00:99`,
    });
  });

  test('it stops at another program’s chain, and may stop at one that accepts something', async ({
    host,
  }) => {
    const { a } = await setUp(host);
    const chain = 'chain ip other forward';
    await host.net.run(
      'nft',
      `add table ip other; add ${chain} { type filter hook forward priority 0; policy drop; }`,
    );
    expect(await stop(host, a, '10.99.0.3:80')).toMatchObject({
      where: 'host',
      what: `${chain} drops it: its policy is to drop what is forwarded, and none of its rules accepts`,
    });
    await host.net.run('nft', 'add rule ip other forward iifname "plumb*" accept');
    const { status, value } = await trace(host, a, '10.99.0.3:80');
    expect({ status, arrives: value.arrives }).toEqual({ status: 0, arrives: true });
    expect(value.hops.filter(({ outcome }) => outcome === 'unsure')).toEqual([
      expect.objectContaining({ where: 'host', what: expect.stringContaining(`${chain} may drop it: `) }),
    ]);
  });

  test('what is not understood', async ({ host }) => {
    const pod = await host.pod();
    for (const [args, status, message] of [
      [[pod.path], 2, 'missing required argument'],
      [[pod.path, 'nowhere'], 2, 'ADDRESS: nowhere is no address'],
      [[pod.path, '10.1.0.2:0'], 2, 'ADDRESS: 10.1.0.2:0 is no address'],
      [[pod.path, '10.1.0.2', '--send'], 2, '--send needs a port'],
      [['none', '10.1.0.2:1'], 3, 'NETNS: there is no network namespace (open /run/netns/none: ENOENT)'],
      [['/dev/null', '10.1.0.2:1'], 3, 'NETNS: /dev/null is not a network namespace'],
    ] as const) {
      expect(await host.cli('trace', ...args)).toEqual({
        status,
        stdout: '',
        stderr: expect.stringContaining(message),
      });
    }
  });
});
