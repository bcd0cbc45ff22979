import { describe, expect } from 'vitest';
import { type Host, hostTest, type Namespace, type Options } from '../support/host.ts';
import { INSTALLED, startPlugin } from '../support/plugin.ts';
import { REFERENCE } from '../support/shared.ts';

// The keys of the reference plugin tuning.

const sysctl = async (space: Namespace, file: string): Promise<string> =>
  (await space.run('cat', `/proc/sys/${file}`)).trimEnd();

interface Seen {
  readonly flags: readonly string[];
  readonly txqlen: number;
  readonly mtu: number;
  readonly address: string;
}

async function seen(pod: Namespace, ifname = 'eth0'): Promise<Seen> {
  const [link]: Seen[] = JSON.parse(await pod.ip('-j', 'link', 'show', ifname));
  if (link === undefined) throw new Error(`no ${ifname}`);
  return link;
}

/** Runs the plugin where /etc/cni/tuning/allowlist.conf has these lines. */
const underAllowList = (...lines: string[]): readonly string[] => [
  'unshare',
  '--mount',
  '--propagation',
  'private',
  'sh',
  '-euc',
  'list=$1; shift; mount -t tmpfs tmpfs /etc; mkdir -p /etc/cni/tuning; printf %s "$list" > /etc/cni/tuning/allowlist.conf; exec "$@"',
  'sh',
  lines.join('\n'),
];

describe.concurrent.each(INSTALLED)('%s', (name) => {
  const test = hostTest(name);

  /** ADD and CHECK; returns how to CHECK again. */
  const attach = async (
    host: Host,
    pod: Namespace,
    more: object,
    options: Options = {},
  ): Promise<{ check: Options; del: Options }> => {
    const config = host.c46({}, more);
    const prevResult = await host.add(pod, { ...options, config });
    const check = { ...options, netns: pod, config: { ...config, prevResult } };
    await host.ok('CHECK', check);
    return { check, del: check };
  };

  test('sysctls are set inside the container only, attributes on its end only', async ({ host }) => {
    const pod = await host.pod();
    const before = await host.snapshot();
    const keys = ['net/core/somaxconn', 'net/ipv4/ip_unprivileged_port_start', 'net/ipv4/tcp_rmem'] as const;
    const ofHost = await Promise.all(keys.map((key) => sysctl(host.net, key)));
    const { del } = await attach(host, pod, {
      sysctl: {
        'net.core.somaxconn': '517',
        'net/ipv4/ip_unprivileged_port_start': '0',
        // Which the kernel prints with tabs.
        'net.ipv4.tcp_rmem': '4096 131072 6291455',
        'net.ipv4.ip_local_reserved_ports': '',
        'net.ipv4.conf.IFNAME.arp_filter': '1',
        'net.ipv6.conf.eth0.hop_limit': '61',
      },
      promisc: true,
      allmulti: true,
      txQLen: 517,
      mtu: 1407,
      mac: '02:00:5e:10:00:17',
    });
    expect(await Promise.all(keys.map((key) => sysctl(pod, key)))).toEqual([
      '517',
      '0',
      '4096\t131072\t6291455',
    ]);
    expect(await sysctl(pod, 'net/ipv4/conf/eth0/arp_filter')).toBe('1');
    expect(await sysctl(pod, 'net/ipv6/conf/eth0/hop_limit')).toBe('61');
    expect(await sysctl(pod, 'net/ipv4/conf/lo/arp_filter')).toBe('0');
    expect(await seen(pod)).toMatchObject({
      flags: expect.arrayContaining(['PROMISC', 'ALLMULTI', 'UP']),
      txqlen: 517,
      mtu: 1407,
      address: '02:00:5e:10:00:17',
    });
    const [end = ''] = await host.ends();
    const hostEnd = await seen(host.net, end);
    expect(hostEnd).toMatchObject({ txqlen: 1000, mtu: 1407 });
    expect(hostEnd.flags).not.toEqual(expect.arrayContaining(['PROMISC']));
    expect(hostEnd.flags).not.toEqual(expect.arrayContaining(['ALLMULTI']));
    expect(await Promise.all(keys.map((key) => sysctl(host.net, key)))).toEqual(ofHost);
    await host.ok('DEL', del);
    await host.expectClean(before);
  });

  test('args.cni and runtimeConfig count before the keys at the top', async ({ host }) => {
    const pod = await host.pod();
    await attach(host, pod, {
      sysctl: { 'net.core.somaxconn': '500', 'net.ipv4.ip_default_ttl': '33' },
      promisc: true,
      txQLen: 500,
      mtu: 1400,
      mac: '02:00:5e:10:00:01',
      args: {
        cni: {
          sysctl: { 'net/core/somaxconn': '600' },
          promisc: false,
          allmulti: true,
          txQLen: 0,
          mtu: 1350,
          mac: '02:00:5e:10:00:02',
        },
      },
      runtimeConfig: { mac: '02:00:5e:10:00:03' },
    });
    expect(await sysctl(pod, 'net/core/somaxconn')).toBe('600');
    expect(await sysctl(pod, 'net/ipv4/ip_default_ttl')).toBe('33');
    const link = await seen(pod);
    expect(link).toMatchObject({ mtu: 1350, address: '02:00:5e:10:00:03' });
    expect(link.txqlen ?? 0).toBe(0);
    expect(link.flags).toEqual(expect.arrayContaining(['ALLMULTI']));
    expect(link.flags).not.toEqual(expect.arrayContaining(['PROMISC']));
  });

  test('an interface name with a dot, in every spelling of the key', async ({ host }) => {
    for (const [i, key] of [
      'net.ipv4.conf.eth0/7.arp_filter',
      'net.ipv4.conf.eth0.7.arp_filter',
      'net/ipv4/conf/eth0.7/arp_filter',
      'net.ipv4.conf.IFNAME.arp_filter',
      'net/ipv4/conf/IFNAME/arp_filter',
    ].entries()) {
      const pod = await host.pod();
      const options = { id: `c${i}`, ifname: 'eth0.7' };
      await attach(host, pod, { sysctl: { [key]: '1' } }, options);
      expect(await sysctl(pod, 'net/ipv4/conf/eth0.7/arp_filter'), key).toBe('1');
    }
  });

  test('what is not allowed is refused before anything is changed', async ({ host }) => {
    const pod = await host.pod();
    const before = await host.snapshot();
    for (const [more, where] of [
      [{ sysctl: { 'kernel.shmmax': '1' } }, 'sysctl["kernel.shmmax"]'],
      [{ sysctl: { 'net/../kernel/shmmax': '1' } }, 'sysctl["net/../kernel/shmmax"]'],
      [{ sysctl: { 'net.core.somaxconn': 500 } }, 'sysctl["net.core.somaxconn"]'],
      [{ sysctl: { 'net.core.somaxconn': '1', 'net/core/somaxconn': '2' } }, 'sysctl["net/core/somaxconn"]'],
      [{ args: { cni: { sysctl: { 'fs.file-max': '1' } } } }, 'args.cni.sysctl["fs.file-max"]'],
      [{ promisc: 'yes' }, 'promisc'],
      [{ allmulti: 1 }, 'allmulti'],
      [{ txQLen: -1 }, 'txQLen'],
      [{ sysctls: {} }, 'sysctls'],
    ] as const) {
      const error = await host.refused('ADD', { netns: pod, config: host.c46({}, more) });
      expect(error).toMatchObject({ code: 7, msg: expect.stringContaining(`configuration: ${where}: `) });
      await host.ok('DEL', { netns: pod, config: host.c46({}, more) });
    }
    await host.expectClean(before);
  });

  test('what the kernel refuses is named, and all before it restored', async ({ host }) => {
    const pod = await host.pod();
    const before = await host.snapshot();
    const good = { 'net.core.somaxconn': '517', 'net.ipv4.ip_local_reserved_ports': '80' };
    const was = await sysctl(pod, 'net/core/somaxconn');
    for (const [bad, msg] of [
      [
        { 'net.core.nothing': '1' },
        /^sysctl\["net\.core\.nothing"\]: the container has no such sysctl \(.*ENOENT/,
      ],
      [
        { 'net.ipv4.ip_default_ttl': '256' },
        /^sysctl\["net\.ipv4\.ip_default_ttl"\]: the kernel does not take "256" \(.*EINVAL/,
      ],
      [{ 'net.ipv4.conf.IFNAME.forwarding': 'yes' }, /does not take "yes"/],
      [{ 'net.ipv4.conf.eth9.forwarding': '1' }, /no such sysctl/],
    ] as const) {
      const config = host.c46({}, { sysctl: { ...good, ...bad } });
      expect(await host.refused('ADD', { netns: pod, config })).toMatchObject({
        code: 7,
        msg: expect.stringMatching(msg),
      });
      expect(await sysctl(pod, 'net/core/somaxconn')).toBe(was);
      expect(await sysctl(pod, 'net/ipv4/ip_local_reserved_ports')).toBe('');
    }
    await host.expectClean(before);
  });

  test('sysctls are restored when the result cannot be delivered', async ({ host }) => {
    const pod = await host.pod();
    const before = await host.snapshot();
    const was = await sysctl(pod, 'net/core/somaxconn');
    const by = ['sh', '-c', 'exec "$@" >/dev/full', 'sh'];
    const config = host.c46({}, { sysctl: { 'net.core.somaxconn': '517' }, promisc: true });
    const outcome = await host.call('ADD', { netns: pod, by, config });
    expect(outcome.status).not.toBe(0);
    expect(await sysctl(pod, 'net/core/somaxconn')).toBe(was);
    await host.expectClean(before);
  });

  test('only what the list of the host allows, if there is one', async ({ host }) => {
    const pod = await host.pod();
    const before = await host.snapshot();
    const by = underAllowList(
      '',
      '  ^net\\.core\\.somaxconn$  ',
      '^net\\.ipv4\\.conf\\.IFNAME\\.[a-z_]*$',
      '',
    );
    const allowed = { 'net.core.somaxconn': '517', 'net.ipv4.conf.IFNAME.arp_filter': '1' };
    for (const sysctl of [
      { ...allowed, 'net.ipv4.ip_forward': '1' },
      { 'net/core/somaxconn': '517' },
      { 'net.ipv4.conf.all.arp_filter': '1' },
    ]) {
      const [key] = Object.keys(sysctl).slice(-1);
      const error = await host.refused('ADD', { netns: pod, by, config: host.c46({}, { sysctl }) });
      expect(error).toMatchObject({
        code: 7,
        msg: `sysctl["${key}"]: /etc/cni/tuning/allowlist.conf does not allow ${key} on this host`,
      });
      await host.expectClean(before);
    }
    await attach(host, pod, { sysctl: allowed }, { by });
    expect(await sysctl(pod, 'net/core/somaxconn')).toBe('517');

    const second = await host.pod();
    // What has no sysctls is not looked up, and an empty list allows none.
    await attach(host, second, { promisc: true }, { id: 'c2', by: underAllowList('(') });
    const third = await host.pod();
    const config = host.c46({}, { sysctl: allowed });
    const asked = { netns: third, id: 'c3', config };
    expect(await host.refused('ADD', { ...asked, by: underAllowList('') })).toMatchObject({ code: 7 });
    expect(await host.refused('ADD', { ...asked, by: underAllowList('(') })).toMatchObject({
      code: 5,
      msg: expect.stringMatching(/^\/etc\/cni\/tuning\/allowlist\.conf: /),
    });
  });

  test('CHECK names each thing that is off', async ({ host }) => {
    const pod = await host.pod();
    const { check } = await attach(host, pod, {
      sysctl: { 'net.core.somaxconn': '517', 'net.ipv4.conf.IFNAME.arp_filter': '1' },
      promisc: true,
      allmulti: false,
      txQLen: 517,
    });
    const faultAfter = async (spoil: string, repair: string): Promise<string> => {
      await pod.sh(spoil);
      const error = await host.refused('CHECK', check);
      await pod.sh(repair);
      await host.ok('CHECK', check);
      expect(error.code).toBe(102);
      return error.msg;
    };
    const write = (file: string, value: string): string => `echo ${value} > /proc/sys/net/${file}`;
    expect(await faultAfter(write('core/somaxconn', '9'), write('core/somaxconn', '517'))).toBe(
      'network t: sysctl net.core.somaxconn is "9", not "517"',
    );
    expect(
      await faultAfter(write('ipv4/conf/eth0/arp_filter', '0'), write('ipv4/conf/eth0/arp_filter', '1')),
    ).toBe('network t: sysctl net.ipv4.conf.IFNAME.arp_filter is "0", not "1"');
    expect(await faultAfter('ip link set eth0 promisc off', 'ip link set eth0 promisc on')).toBe(
      'network t: promisc of eth0 is off',
    );
    expect(await faultAfter('ip link set eth0 allmulticast on', 'ip link set eth0 allmulticast off')).toBe(
      'network t: allmulti of eth0 is on',
    );
    expect(await faultAfter('ip link set eth0 txqueuelen 9', 'ip link set eth0 txqueuelen 517')).toBe(
      'network t: txQLen of eth0 is 9, not 517',
    );
    expect(
      await faultAfter(
        `ip link set eth0 promisc off; ${write('core/somaxconn', '9')}`,
        `ip link set eth0 promisc on; ${write('core/somaxconn', '517')}`,
      ),
    ).toBe('network t: promisc of eth0 is off; sysctl net.core.somaxconn is "9", not "517"');
  });

  test('the same as the reference plugin does behind it', async ({ host }) => {
    const keys = {
      sysctl: { 'net.core.somaxconn': '517', 'net.ipv4.conf.IFNAME.arp_filter': '1' },
      promisc: true,
      allmulti: true,
    };
    const [ours, theirs] = [await host.pod(), await host.pod()];
    const version = { cniVersion: '1.0.0' };
    await host.add(ours, { id: 'c1', config: host.c46({}, { ...version, ...keys }) });
    const prevResult = await host.add(theirs, { id: 'c2', config: host.c46({}, version) });
    const stdin = {
      ...version,
      name: 't',
      type: 'tuning',
      dataDir: `${host.scratch}/tuning`,
      ...keys,
      prevResult,
    };
    const call = { containerId: 'c2', netns: theirs.path, stdin };
    // Its CHECK does not know IFNAME.
    expect(await startPlugin(`${REFERENCE}/tuning`, { command: 'ADD', ...call })).toMatchObject({
      status: 0,
    });
    const state = async (pod: Namespace): Promise<unknown> => {
      const { flags, txqlen } = await seen(pod);
      const files = ['net/core/somaxconn', 'net/ipv4/conf/eth0/arp_filter'];
      return { flags, txqlen, sysctls: await Promise.all(files.map((file) => sysctl(pod, file))) };
    };
    expect(await state(ours)).toEqual(await state(theirs));
  });
});
