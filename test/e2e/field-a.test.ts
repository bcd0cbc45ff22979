import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import {
  type Config,
  exec,
  exists,
  type Host,
  hostTest,
  inLanes,
  outcomeOf,
  straceLines,
  until,
} from '../support/host.ts';
import { INSTALLED, repetitions } from '../support/plugin.ts';

// Reports from the field, A: IP address management. One or more tests for each report, on the executables.

const OTHERS = ['10.99.0.2', '10.99.0.3', '10.99.0.4', '10.99.0.5', '10.99.0.6'];

function writeLease(host: Host, address: string, text: string): void {
  mkdirSync(`${host.dataDir}/t`, { recursive: true });
  writeFileSync(`${host.dataDir}/t/${address}`, text);
}

describe.concurrent.each(INSTALLED)('%s', (name) => {
  const test = hostTest(name);

  test.for(['gone', 'unset'] as const)(
    'B01: DEL frees the lease when the namespace is %s, and after a reboot',
    async (netns, { host }) => {
      const before = await host.snapshot();
      for (const reboot of [false, true]) {
        const pod = await host.pod();
        await host.add(pod);
        expect(await host.leases()).toEqual(['10.99.0.2']);
        await pod.remove();
        if (reboot) await host.reboot();
        await host.ok('DEL', netns === 'gone' ? { netns: '/run/netns/gone' } : {});
        await host.settled();
        await host.expectClean(before);
        rmSync(`${host.dataDir}/t/last_reserved_ip.0`);
      }
    },
  );

  test('B02: GC frees leases whose DEL never came', async ({ host }) => {
    for (const [i, address] of OTHERS.entries()) writeLease(host, address, `unknown${i}\r\neth0`);
    writeLease(host, 'last_reserved_ip.0', '10.99.0.6');
    const pod = await host.pod();
    const { code, msg } = await host.refused('ADD', { netns: pod });
    expect(code).toBe(101);
    expect(msg).toContain('10.99.0.1-10.99.0.6');
    const config = { ...host.c4(), 'cni.dev/valid-attachments': [] };
    await host.ok('GC', { config });
    expect(await host.leases()).toEqual([]);
    expect(exists(`${host.dataDir}/t/lock`)).toBe(true);
    expect(readFileSync(`${host.dataDir}/t/last_reserved_ip.0`, 'latin1')).toBe('10.99.0.6');
    await host.add(pod);
  });

  test('B03: lease files without an owner are free, and GC removes them', async ({ host }) => {
    for (const address of OTHERS) writeLease(host, address, '');
    const pod = await host.pod();
    const prevResult = await host.add(pod);
    expect(prevResult).toMatchObject({ ips: [{ address: '10.99.0.2/29' }] });
    await host.ok('GC', {
      config: { ...host.c4(), 'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }] },
    });
    expect(await host.leases()).toEqual(['10.99.0.2']);
    await host.ok('CHECK', { netns: pod, config: { ...host.c4(), prevResult } });
  });

  const kills = repetitions(name === 'plumb' ? 200 : 20);
  test(`B03: ${kills} ADDs that are killed at any moment leave no empty lease`, async ({ host }) => {
    const pods = await host.pods(3);
    const before = await host.snapshot();
    const config = host.c4({ subnet: '10.99.0.0/24' });
    const longest = name === 'plumb' ? 30 : 80;
    await inLanes(kills, pods.length, async (i) => {
      const pod = pods[i % pods.length];
      // Lanes may be at the same pod: each has an interface of its own.
      const options = { id: `k${i}`, ifname: `e${i}`, config, ...(pod === undefined ? {} : { netns: pod }) };
      const child = host.start('ADD', options);
      const ended = outcomeOf(child);
      await sleep((i / kills) * longest);
      child.kill('SIGKILL');
      await ended;
      const empty = await exec(['find', host.dataDir, '-name', '10.99.0.*', '-size', '0']);
      expect(empty.stdout).toBe('');
      await host.ok('DEL', options);
    });
    await host.expectClean(before);
  });

  test('B04: a requested address that is leased is an error that names the owner, the asker itself too; after DEL it is given', async ({
    host,
  }) => {
    const pod = await host.pod();
    const config = host.c4({}, { args: { cni: { ips: ['10.99.0.4'] } } });
    const before = await host.snapshot();
    for (const owner of ['c1', 'another']) {
      writeLease(host, '10.99.0.4', `${owner}\r\neth0`);
      const { msg } = await host.refused('ADD', { netns: pod, config });
      expect(msg).toContain('10.99.0.4');
      expect(msg).toMatch(new RegExp(`\\b${owner}\\b`));
      expect(await host.leases()).toEqual(['10.99.0.4']);
      await host.ok('DEL', { id: owner, config });
      await host.expectClean(before);
      expect(await host.add(pod, { config })).toMatchObject({ ips: [{ address: '10.99.0.4/29' }] });
      await host.ok('DEL', { netns: pod, config });
    }
  });

  test('B06: a second ADD is refused, and the first attachment goes on', async ({ host }) => {
    const pod = await host.pod();
    const before = await host.snapshot();
    const prevResult = await host.add(pod);
    const { code, msg } = await host.refused('ADD', { netns: pod });
    expect(code).toBe(100);
    expect(msg).toMatch(/c1 .*already/);
    expect(await host.leases()).toHaveLength(1);
    expect(await pod.reaches('10.99.0.1')).toBe(true);
    await host.ok('CHECK', { netns: pod, config: { ...host.c4(), prevResult } });
    await host.ok('DEL', { netns: pod });
    await host.expectClean(before);
  });

  test('B07: an ADD that fails because the container has an eth0 leaves nothing, and eth0 as it was', async ({
    host,
  }) => {
    const pod = await host.pod();
    await pod.pair('eth0');
    const before = await host.snapshot();
    const inside = await pod.ip('-j', 'address');
    const { code, msg } = await host.refused('ADD', { netns: pod });
    expect(code).toBe(100);
    expect(msg).toBe(`${pod.path} has an interface eth0 already, which is somebody else's`);
    await host.expectClean(before);
    expect(await pod.ip('-j', 'address')).toBe(inside);
    await host.ok('DEL', { netns: pod });
    expect(await pod.ip('-j', 'address')).toBe(inside);
  });

  test('B07: an ADD that fails in its last step leaves nothing (masquerading)', async ({ host }) => {
    const pod = await host.pod();
    // A table of our name that is not ours: the sets that we need are of another kind in it.
    await host.net.run('nft', 'add table inet plumb; add set inet plumb masq { type ipv4_addr; }');
    const before = await host.snapshot();
    const { msg } = await host.refused('ADD', { netns: pod });
    expect(msg).toMatch(/inet plumb.*EEXIST/);
    await host.expectClean(before);
    expect(await pod.links()).toEqual(['lo']);
  });

  test('B08: a range that is exhausted is named, leaves nothing and disturbs nobody', async ({ host }) => {
    const pods = await host.pods(6);
    const [sixth] = pods.splice(5);
    for (const [i, pod] of pods.entries()) await host.add(pod, { id: `c${i + 1}` });
    const before = await host.snapshot();
    const options = { id: 'c6', netns: sixth?.path ?? '' };
    const { code, msg } = await host.refused('ADD', options);
    expect(code).toBe(101);
    expect(msg).toMatch(/no address available in 10\.99\.0\.1-10\.99\.0\.6/);
    await host.expectClean(before);
    expect(await sixth?.links()).toEqual(['lo']);
    expect(await Promise.all(pods.map((pod) => pod.reaches('10.99.0.1')))).toEqual(pods.map(() => true));
    await host.ok('DEL', options);
    await host.expectClean(before);
    await host.ok('DEL', { id: 'c3' });
    expect(await host.add(options.netns, options)).toMatchObject({ ips: [{ address: '10.99.0.4/29' }] });
  });

  test('B09: freed addresses come round again, the one that was just freed last', async ({ host }) => {
    const pod = await host.pod();
    for (let i = 0; i < 20; i++) {
      const address = OTHERS[i % OTHERS.length];
      expect(await host.add(pod)).toMatchObject({ ips: [{ address: `${address}/29` }] });
      expect(readFileSync(`${host.dataDir}/t/last_reserved_ip.0`, 'latin1')).toBe(address);
      await host.ok('DEL', { netns: pod });
    }
  });

  test('B10: of a /30 one address is given', async ({ host }) => {
    const pod = await host.pod();
    const config = host.c4({ subnet: '10.99.0.0/30' });
    for (let i = 0; i < 2; i++) {
      expect(await host.add(pod, { config })).toMatchObject({ ips: [{ address: '10.99.0.2/30' }] });
      expect(await host.refused('ADD', { id: 'c2', ifname: 'eth1', netns: pod, config })).toMatchObject({
        code: 101,
      });
      await host.ok('DEL', { netns: pod, config });
    }
  });

  test.for([
    [
      'the broadcast address',
      { subnet: '10.99.0.0/30', rangeStart: '10.99.0.3', rangeEnd: '10.99.0.3' },
      '10.99.0.3',
    ],
    [
      'the network address',
      { subnet: '10.99.0.0/30', rangeStart: '10.99.0.0', rangeEnd: '10.99.0.2' },
      '10.99.0.0',
    ],
    ['/31', { subnet: '10.99.0.0/31' }, '10.99.0.0/31'],
    ['/32', { subnet: '10.99.0.0/32' }, '10.99.0.0/32'],
    ['/127', { subnet: 'fd99::/127' }, 'fd99::/127'],
    ['/128', { subnet: 'fd99::/128' }, 'fd99::/128'],
  ] as const)('B10: error 7 for %s, with nothing made', async ([, ipam, named], { host }) => {
    const pod = await host.pod();
    const before = await host.snapshot();
    const config = host.c4({ ...ipam, routes: [] });
    const { code, msg } = await host.refused('ADD', { netns: pod, config });
    expect(code).toBe(7);
    expect(msg).toContain(named);
    expect(exists(host.dataDir)).toBe(false);
    await host.expectClean(before);
  });

  test.for(['192.168.1.1', 'fd00::1', '10.99.1.1', '10.99.0.255', '10.99.0.0'])(
    'B11: error 7 for the gateway %s of 10.99.0.0/24, with nothing made',
    async (gateway, { host }) => {
      const pod = await host.pod();
      const before = await host.snapshot();
      const config = host.c4({ subnet: '10.99.0.0/24', gateway });
      const { code, msg } = await host.refused('ADD', { netns: pod, config });
      expect(code).toBe(7);
      expect(msg).toContain(gateway);
      expect(exists(host.dataDir)).toBe(false);
      await host.expectClean(before);
    },
  );

  test('B13: .255 and .0 in the middle of a /16 are given and work', async ({ host }) => {
    const pods = await host.pods(2);
    const config = host.c4({ subnet: '10.1.0.0/16', rangeStart: '10.1.2.255', rangeEnd: '10.1.3.0' });
    const addresses: (string | undefined)[] = [];
    for (const [i, pod] of pods.entries()) {
      addresses.push((await host.add(pod, { id: `c${i}`, config })).ips[0]?.address);
    }
    expect(addresses).toEqual(['10.1.2.255/16', '10.1.3.0/16']);
    expect(await host.net.reaches('10.1.2.255')).toBe(true);
    expect(await host.net.reaches('10.1.3.0')).toBe(true);
    expect(await pods[0]?.reaches('10.1.3.0')).toBe(true);
    expect(await pods[1]?.reaches('10.1.2.255')).toBe(true);
  });

  test('B14: whoever holds the lock for too long makes ADD and DEL fail with code 11; nothing is done without it', async ({
    host,
  }) => {
    const pod = await host.pod();
    const before = await host.snapshot();
    const config = host.c4({ lockTimeoutMs: 200 });
    mkdirSync(`${host.dataDir}/t`, { recursive: true });
    const hold = async (): Promise<() => Promise<void>> => {
      // -o: not shared with the child, so that it ends with flock(1) itself.
      const release = host.background(host.net, ['flock', '-o', `${host.dataDir}/t/lock`, 'sleep', '300']);
      await until(async () => (await exec(['flock', '-n', `${host.dataDir}/t/lock`, 'true'])).status === 1);
      return release;
    };
    let release = await hold();
    const { code, msg } = await host.refused('ADD', { netns: pod, config });
    expect(code).toBe(11);
    expect(msg).toContain(`${host.dataDir}/t/lock`);
    expect(await host.leases()).toEqual([]);
    await host.expectClean(before);
    await release();
    await host.add(pod, { config });
    release = await hold();
    expect(await host.refused('DEL', { netns: pod, config })).toMatchObject({ code: 11 });
    expect(await host.leases()).toEqual(['10.99.0.2']);
    await release();
    await host.ok('DEL', { netns: pod, config });
    await host.expectClean(before);
  });

  test('B17: DEL frees the address after rule and link are gone (system calls in order)', async ({
    host,
  }) => {
    const pod = await host.pod();
    await host.add(pod);
    const trace = `${host.scratch}/trace`;
    const by = ['strace', '-f', '-o', trace, '-e', 'trace=sendto,unlink,unlinkat,rename'];
    await host.ok('DEL', { netns: pod, by });
    const lines = straceLines(trace);
    const at = (pattern: RegExp): number => lines.findIndex((line) => pattern.test(line));
    const order = [at(/NFT_MSG_DELSETELEM/), at(/RTM_DELLINK/), at(/^unlink.*\/t\/10\.99\.0\.2"/)];
    expect(order).not.toContain(-1);
    expect(order).toEqual([...order].sort((a, b) => a - b));
  });

  test.for([
    ['rule', 'NFT_MSG_DELSETELEM'],
    ['link', 'RTM_DELLINK'],
  ] as const)(
    'B17: when the kernel refuses to remove the %s, DEL says so and the address stays leased',
    async ([, message], { host }) => {
      const pod = await host.pod();
      const before = await host.snapshot();
      const trace = `${host.scratch}/trace`;
      await host.add(pod);
      await host.ok('DEL', { netns: pod, by: ['strace', '-f', '-o', trace, '-e', 'trace=sendto'] });
      const when = straceLines(trace).findIndex((line) => line.includes(message)) + 1;
      expect(when).toBeGreaterThan(0);
      await host.add(pod);
      const by = ['strace', '-f', '-o', '/dev/null', '-e', `inject=sendto:error=EPERM:when=${when}`];
      const { msg } = await host.refused('DEL', { netns: pod, by });
      expect(msg).toContain('EPERM');
      expect(await host.leases()).toEqual(['10.99.0.3']);
      await host.ok('DEL', { netns: pod });
      await host.expectClean(before);
    },
  );

  test('B19: both names of the list of valid attachments count; with neither nothing is removed', async ({
    host,
  }) => {
    const [a, b] = await host.pods(2);
    const netns = { A: a?.path ?? '', B: b?.path ?? '' };
    const valid = [{ containerID: 'A', ifname: 'eth0' }];
    await host.add(netns.A, { id: 'A' });
    for (const key of ['cni.dev/attachments', 'cni.dev/valid-attachments']) {
      await host.add(netns.B, { id: 'B' });
      const both = await host.snapshot();
      const { code, msg } = await host.refused('GC');
      expect(code).toBe(7);
      expect(msg).toContain('cni.dev/valid-attachments');
      await host.expectClean(both);
      await host.ok('GC', { config: { ...host.c4(), [key]: valid } });
      expect(await host.leases()).toEqual(['10.99.0.2']);
      expect(await host.ends()).toHaveLength(1);
      expect(await a?.reaches('10.99.0.1')).toBe(true);
      expect(await b?.links()).toEqual(['lo']);
    }
  });

  test.for(['gone', 'still there'] as const)(
    'B20: GC removes lease, link, route, ifb, ports and masquerading of a container whose namespace is %s, and leaves others alone',
    async (state, { host }) => {
      const [a, b] = [await host.pod(), await host.pod()];
      const config = (hostPort: number): Config => {
        const portMappings = ['tcp', 'udp'].map((protocol) => ({ hostPort, containerPort: 80, protocol }));
        const limits = { ingressRate: 8_000_000, ingressBurst: 800_000 };
        const bandwidth = { ...limits, egressRate: 8_000_000, egressBurst: 800_000 };
        return host.c46({}, { antiSpoofing: true, runtimeConfig: { portMappings, bandwidth } });
      };
      const prevResult = await host.add(a, { id: 'A', config: config(8080) });
      const everything = async (): Promise<unknown> => ({
        ...(await host.snapshot()),
        ruleset: await host.net.run('nft', 'list', 'ruleset'),
        qdiscs: await host.net.run('tc', 'qdisc'),
      });
      const onlyA = await everything();
      await host.add(b, { id: 'B', config: config(8081) });
      expect((await host.ends()).filter((link) => link.startsWith('plumbi'))).toHaveLength(2);
      if (state === 'gone') {
        await b.remove();
        await until(async () => (await host.ends()).length === 3);
      }
      const valid = { 'cni.dev/valid-attachments': [{ containerID: 'A', ifname: 'eth0' }] };
      for (let i = 0; i < 2; i++) {
        await host.ok('GC', { config: { ...config(8080), ...valid } });
        expect(await everything()).toEqual(onlyA);
        await host.ok('CHECK', { id: 'A', netns: a, config: { ...config(8080), prevResult } });
      }
    },
  );

  test('B22: STATUS of a healthy host says nothing, writes nothing, takes no lease and waits for no lock', async ({
    host,
  }) => {
    const before = await host.snapshot();
    await host.ok('STATUS');
    expect(exists(host.dataDir) || exists(host.runDir)).toBe(false);
    await host.expectClean(before);
    mkdirSync(`${host.dataDir}/t`, { recursive: true });
    host.background(host.net, ['flock', '-o', `${host.dataDir}/t/lock`, 'sleep', '300']);
    await until(async () => (await exec(['flock', '-n', `${host.dataDir}/t/lock`, 'true'])).status === 1);
    await host.ok('STATUS', { by: ['env', '-u', 'CNI_CONTAINERID', '-u', 'CNI_IFNAME', 'timeout', '10'] });
  });

  test('B22: STATUS is error 50 when all addresses are leased', async ({ host }) => {
    for (const [i, address] of OTHERS.entries()) writeLease(host, address, `c${i}\r\neth0`);
    const { code, msg } = await host.refused('STATUS');
    expect(code).toBe(50);
    expect(msg).toContain('10.99.0.1-10.99.0.6');
  });

  test.for(['is read-only', 'lies below a file'] as const)(
    'B22: STATUS is error 50 when dataDir %s',
    async (why, { host }) => {
      const readOnly = why === 'is read-only';
      writeFileSync(`${host.scratch}/file`, '');
      mkdirSync(host.dataDir);
      const dataDir = readOnly ? host.dataDir : `${host.scratch}/file/D`;
      const by = [
        'unshare',
        '--mount',
        'sh',
        '-euc',
        `mount -t tmpfs -o ro tmpfs ${host.dataDir}; exec "$0"`,
      ];
      const { code, msg } = await host.refused('STATUS', {
        config: host.c4({ dataDir }),
        ...(readOnly ? { by } : {}),
      });
      expect(code).toBe(50);
      expect(msg).toMatch(readOnly ? /EROFS/ : /ENOTDIR/);
      expect(msg).toContain(readOnly ? dataDir : `${host.scratch}/file`);
    },
  );

  test.for(['net_admin', 'sys_admin'])('B22: STATUS is error 50 without CAP_%s', async (cap, { host }) => {
    const by = ['setpriv', '--bounding-set', `-${cap}`, '--inh-caps', `-${cap}`];
    const { code, msg } = await host.refused('STATUS', { by });
    expect(code).toBe(50);
    expect(msg).toContain(`CAP_${cap.toUpperCase()}`);
  });

  test('B23: an address may be asked for in CNI_ARGS, args.cni.ips and runtimeConfig.ips, with and without prefix length', async ({
    host,
  }) => {
    const pod = await host.pod();
    const before = await host.snapshot();
    for (const ip of ['10.99.0.5', '10.99.0.5/29']) {
      for (const how of [
        { args: `IP=${ip}` },
        { config: host.c4({}, { args: { cni: { ips: [ip] } } }) },
        { config: host.c4({}, { runtimeConfig: { ips: [ip] } }) },
      ]) {
        expect((await host.add(pod, how)).ips).toEqual([
          { address: '10.99.0.5/29', gateway: '10.99.0.1', interface: 1 },
        ]);
        expect(await host.leases()).toEqual(['10.99.0.5']);
        await host.ok('DEL', { netns: pod, ...how });
        await host.expectClean(before);
      }
    }
  });

  test.for([
    ['the gateway', '10.99.0.1'],
    ['outside', '10.99.0.9'],
    ['the broadcast address', '10.99.0.7'],
    ['of a family without a range', 'fd99::5'],
    ['taken', '10.99.0.2'],
    ['none', '10.99.0'],
  ] as const)('B23: an address that is %s is refused and leaves nothing', async ([, ip], { host }) => {
    const [first, second] = await host.pods(2);
    await host.add(first?.path ?? '');
    const before = await host.snapshot();
    for (const how of [
      { args: `IP=${ip}` },
      { config: host.c4({}, { args: { cni: { ips: [ip] } } }) },
      { config: host.c4({}, { runtimeConfig: { ips: [ip] } }) },
    ]) {
      const { msg } = await host.refused('ADD', { id: 'c2', netns: second?.path ?? '', ...how });
      expect(msg).toContain(ip);
      await host.expectClean(before);
    }
  });

  test('B23: long and short spelling of an IPv6 address are the same lease', async ({ host }) => {
    const pod = await host.pod();
    for (const ip of ['fd99:0000:0000:0000:0000:0000:0000:000A', 'fd99::a', 'FD99::0:A/64']) {
      const config = host.c46({}, { runtimeConfig: { ips: [ip] } });
      expect((await host.add(pod, { config })).ips[1]).toMatchObject({ address: 'fd99::a/64' });
      expect(await host.leases()).toContain('fd99::a');
      const again = await host.refused('ADD', { id: 'c2', ifname: 'eth1', netns: pod, config });
      expect(again.msg).toContain('fd99::a');
      await host.ok('DEL', { netns: pod, config });
    }
  });

  test('B24: an address whose lease was lost is not given to another while its container lives', async ({
    host,
  }) => {
    const [a, b] = await host.pods(2);
    for (const config of [host.c4(), host.c46()]) {
      await host.add(a?.path ?? '', { id: 'A', config });
      rmSync(host.dataDir, { recursive: true });
      const { ips } = await host.add(b?.path ?? '', { id: 'B', config });
      expect(ips[0]?.address).toBe('10.99.0.3/29');
      expect(ips.slice(1).map(({ address }) => address)).toEqual(ips.length > 1 ? ['fd99::3/64'] : []);
      expect(await host.net.reaches('10.99.0.2')).toBe(true);
      expect(await a?.reaches('10.99.0.3')).toBe(true);
      const asked = host.c4({}, { runtimeConfig: { ips: ['10.99.0.2'] } });
      const { msg } = await host.refused('ADD', {
        id: 'C',
        ifname: 'eth1',
        netns: b?.path ?? '',
        config: asked,
      });
      expect(msg).toContain('10.99.0.2');
      for (const id of ['A', 'B']) await host.ok('DEL', { id, config });
      rmSync(host.dataDir, { recursive: true });
    }
  });
});
