import { chmodSync, copyFileSync, rmSync, statSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { hostInterfaceName, macAddresses } from '../../plugin/names.ts';
import { exec, hostTest, until } from '../support/host.ts';
import { executable, INSTALLED } from '../support/plugin.ts';

const key = (containerId: string, ifname = 'eth0') => ({ network: 't', containerId, ifname });
const [first, second] = ['0123456789abcdef', '0123456789abffff'];

describe.concurrent.each(INSTALLED)('plumb ls and plumb show: %s', (name) => {
  const test = hostTest(name);

  test('an attachment with everything has it all in JSON', async ({ host }) => {
    const pod = await host.pod();
    const rates = {
      ingressRate: 8_000_000,
      ingressBurst: 80_000,
      egressRate: 4_000_000,
      egressBurst: 80_000,
    };
    const config = host.c46(
      {},
      {
        antiSpoofing: true,
        ingressPolicy: 'isolated',
        runtimeConfig: {
          portMappings: [
            { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
            { hostPort: 53, containerPort: 5353, protocol: 'udp', hostIP: '192.0.2.7' },
          ],
        },
        ...rates,
      },
    );
    host.configure([config]);
    await host.add(pod, { id: first, config });
    expect(await pod.reaches('10.99.0.1', '-s', '1000')).toBe(true);
    const hostName = hostInterfaceName(key(first));
    const record = `${host.runDir}/t/${hostName}.json`;
    const [link]: { ifindex: number }[] = JSON.parse(await host.net.ip('-j', 'link', 'show', hostName));
    const all: object[] = JSON.parse((await host.cli('ls', '--json')).stdout);
    expect(all).toEqual([
      {
        network: 't',
        containerId: first,
        ifname: 'eth0',
        netns: { path: pod.path, state: 'alive' },
        addresses: ['10.99.0.2/29', 'fd99::2/64'],
        hostInterface: hostName,
        hostLink: { ifindex: link?.ifindex, mac: macAddresses(key(first)).host, mtu: 1500, up: true },
        ports: [
          { protocol: 'udp', hostIp: '192.0.2.7', hostPort: 53, address: '10.99.0.2', containerPort: 5353 },
          { protocol: 'tcp', hostIp: null, hostPort: 8080, address: '10.99.0.2', containerPort: 80 },
          { protocol: 'tcp', hostIp: null, hostPort: 8080, address: 'fd99::2', containerPort: 80 },
        ],
        ingressRate: 8_000_000,
        egressRate: 4_000_000,
        ipMasq: true,
        antiSpoofing: true,
        ingressPolicy: 'isolated',
        notInForce: [],
        addedAt: new Date(Math.floor(statSync(record).mtimeMs)).toISOString(),
        received: expect.objectContaining({ errors: 0 }),
        sent: expect.objectContaining({ errors: 0 }),
        leases: [`${host.dataDir}/t/10.99.0.2`, `${host.dataDir}/t/fd99::2`],
        record,
      },
    ]);
    const traffic = { received: expect.anything(), sent: expect.anything() };
    expect(await host.cliJson('show', first)).toEqual([{ ...all[0], ...traffic }]);
  });

  test('traffic counts from the container’s point of view', async ({ host }) => {
    const pod = await host.pod();
    host.configure();
    await host.add(pod, { id: first });
    // What goes one way only: nobody answers to an address that is not there.
    const counters = async (): Promise<{ sent: { bytes: number }; received: { bytes: number } }> => {
      const [it]: { sent: { bytes: number }; received: { bytes: number } }[] = JSON.parse(
        (await host.cli('ls', '--json')).stdout,
      );
      return it ?? expect.fail('nothing is listed');
    };
    const before = await counters();
    await pod.sh('ping -c5 -i0.01 -s1000 -W1 -q 198.51.100.1 || true');
    const after = await counters();
    // 1000 bytes and headers of ICMP, IPv4 and Ethernet, five times.
    expect(after.sent.bytes - before.sent.bytes).toBeGreaterThanOrEqual(5 * 1042);
    expect(after.received.bytes - before.received.bytes).toBeLessThan(5 * 1042);
  });

  test('the table has a line for each, with what tells their ids apart', async ({ host }) => {
    const [a, b] = [await host.pod(), await host.pod()];
    host.configure();
    await host.add(a, { id: first });
    await host.add(b, { id: second });
    const { status, stdout, stderr } = await host.cli('ls');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const [head = '', ...rows] = stdout.trimEnd().split('\n');
    expect(head.split(/ {2,}/)).toEqual([
      ...[
        'CONTAINER',
        'NETWORK',
        'INTERFACE',
        'ADDRESSES',
        'HOST LINK',
        'RECEIVED',
        'SENT',
        'AGE',
        'NAMESPACE',
      ],
    ]);
    expect(rows.map((row) => row.split(/ {2,}/).slice(0, 5))).toEqual([
      ['0123456789abc', 't', 'eth0', '10.99.0.2/29', hostInterfaceName(key(first))],
      ['0123456789abf', 't', 'eth0', '10.99.0.3/29', hostInterfaceName(key(second))],
    ]);
    expect((await host.cli('list', '--no-trunc')).stdout).toContain(`\n${second}  t`);
  });

  test('show takes the beginning of an id, a host link, an address; several interfaces are all shown', async ({
    host,
  }) => {
    const [a, b] = [await host.pod(), await host.pod()];
    host.configure();
    await host.add(a, { id: first });
    await host.add(a, { id: first, ifname: 'net1', config: host.c4({ routes: [] }) });
    await host.add(b, { id: second });
    const shown = async (id: string): Promise<string[]> => {
      const all: { containerId: string; ifname: string }[] = JSON.parse(
        (await host.cli('show', id, '--json')).stdout,
      );
      return all.map(({ containerId, ifname }) => `${containerId} ${ifname}`);
    };
    expect(await shown('0123456789abc')).toEqual([`${first} eth0`, `${first} net1`]);
    expect(await shown(second)).toEqual([`${second} eth0`]);
    expect(await shown(hostInterfaceName(key(first, 'net1')))).toEqual([`${first} net1`]);
    expect(await shown('10.99.0.4')).toEqual([`${second} eth0`]);
    expect(await host.cli('show', '0123')).toEqual({
      status: 3,
      stdout: '',
      stderr: `plumb: 2 containers have an id that begins with 0123: ${first}, ${second}\n`,
    });
    expect(await host.cli('show', 'nobody')).toEqual({
      status: 3,
      stdout: '',
      stderr: 'plumb: there is no attachment "nobody"; plumb ls lists all\n',
    });
    const text = (await host.cli('show', first)).stdout;
    expect(text).toContain(`${first} eth0\n  network        t\n`);
    expect(text).toContain(`\n  namespace      ${a.path}: alive\n`);
    expect(text).toContain('\n  masquerade     yes\n');
    expect(text).toContain(`\n\n${first} net1\n`);
  });

  test('says what is not as ADD left it: namespace, link, ruleset, record', async ({ host }) => {
    const pods = await host.pods(3);
    host.configure();
    const ids = ['gone', 'detached', 'unrecorded'];
    for (const [i, id] of ids.entries()) await host.add(pods[i] ?? '', { id });
    // A process keeps the namespace of the second, whose path goes.
    const stop = host.background(pods[1] ?? host.net, ['sleep', '60']);
    await pods[0]?.remove();
    await pods[1]?.remove();
    rmSync(`${host.runDir}/t/${hostInterfaceName(key('unrecorded'))}.json`);
    await host.net.run('nft', 'flush', 'set', 'inet', 'plumb', 'masq');
    const listed = async () => {
      const all: Record<string, unknown>[] = JSON.parse((await host.cli('ls', '--json')).stdout);
      return all.map(({ containerId, netns, hostLink, notInForce, addresses, record }) => ({
        ...{ containerId, netns, addresses, notInForce },
        linked: hostLink !== null,
        recorded: record !== null,
      }));
    };
    await until(async () => (await host.ends()).length === 2);
    expect(await listed()).toEqual([
      {
        containerId: 'detached',
        netns: { path: pods[1]?.path, state: 'detached' },
        addresses: ['10.99.0.3/29'],
        notInForce: ['ipMasq'],
        linked: true,
        recorded: true,
      },
      {
        containerId: 'gone',
        netns: { path: pods[0]?.path, state: 'gone' },
        addresses: ['10.99.0.2/29'],
        notInForce: ['hostLink', 'ipMasq'],
        linked: false,
        recorded: true,
      },
      {
        containerId: 'unrecorded',
        netns: { path: null, state: 'detached' },
        addresses: ['10.99.0.4/32'],
        notInForce: [],
        linked: true,
        recorded: false,
      },
    ]);
    const { stdout } = await host.cli('show', 'gone');
    expect(stdout).toContain(`\n  namespace      ${pods[0]?.path}: gone\n`);
    expect(stdout).toContain('\n  masquerade     yes (not in force)\n');
    expect(stdout).toContain(`\n  host link      ${hostInterfaceName(key('gone'))} (missing)\n`);
    await stop();
  });

  test('who may not look is told who may', async ({ host }) => {
    const program = `${host.scratch}/plumb`;
    // The folders above dist may be closed to others.
    copyFileSync(executable(name), program);
    chmodSync(host.scratch, 0o755);
    const { stderr, status } = await exec([
      ...host.net.enter,
      ...['setpriv', '--reuid=65534', '--clear-groups', program, 'ls'],
    ]);
    expect(status).toBe(3);
    expect(stderr).toMatch(/^plumb: .*EPERM.*; plumb must be run as root\n$/);
  });

  test('where there is nothing, there is nothing', async ({ host }) => {
    expect(await host.cliJson('ls')).toEqual([]);
    const { stdout } = await host.cli('ls');
    expect(stdout).toBe('CONTAINER  NETWORK  INTERFACE  ADDRESSES  HOST LINK  NAMESPACE\n');
  });
});
