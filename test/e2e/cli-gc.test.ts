import { existsSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { hostInterfaceName, ifbName } from '../../plugin/names.ts';
import { DelegateFolder } from '../support/delegate.ts';
import { type Config, exec, type Host, hostTest, Namespace, until } from '../support/host.ts';
import { executable, INSTALLED } from '../support/plugin.ts';

const key = (containerId: string, network = 't') => ({ network, containerId, ifname: 'eth0' });
const recordOf = (host: Host, containerId: string): string =>
  `${host.runDir}/t/${hostInterfaceName(key(containerId))}.json`;

/** Everything that an attachment can have on the host. */
function everything(host: Host): Config {
  return host.c46(
    {},
    {
      antiSpoofing: true,
      ingressPolicy: 'isolated',
      ...{ ingressRate: 8_000_000, ingressBurst: 80_000, egressRate: 8_000_000, egressBurst: 80_000 },
      runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
    },
  );
}

/** Dates a file back, beyond what an ADD that is at work could have made. */
function age(path: string): void {
  const then = Date.now() / 1000 - 120;
  utimesSync(path, then, then);
}

async function collect(host: Host, ...args: string[]) {
  const outcome = await host.cli('gc', ...args, '--json');
  const value: Record<'collected' | 'kept' | 'failed', Record<string, unknown>[]> & { dryRun: boolean } =
    JSON.parse(outcome.stdout);
  return { ...value, status: outcome.status };
}

describe.concurrent.each(INSTALLED)('plumb gc: %s', (name) => {
  const test = hostTest(name);

  test('all of a container that is gone goes, and nothing of one that lives', async ({ host }) => {
    const [lives, dies] = [await host.pod(), await host.pod()];
    const config = everything(host);
    host.configure([config]);
    await host.add(lives, { id: 'lives' });
    const before = await host.snapshot();
    await host.add(dies, { id: 'dies', config });
    await dies.remove();
    await until(async () => (await host.net.links()).includes(hostInterfaceName(key('dies'))) === false);
    const item = {
      kind: 'attachment',
      ...key('dies'),
      link: hostInterfaceName(key('dies')),
      addresses: ['10.99.0.3/29', 'fd99::2/64'],
      why: `its namespace is gone from ${dies.path}; its link is gone too`,
    };
    const orphaned = await host.snapshot();
    expect(await collect(host, '--dry-run')).toEqual({
      ...{ status: 0, dryRun: true, collected: [item], kept: [], failed: [] },
    });
    expect(await host.snapshot()).toEqual(orphaned);
    expect(await collect(host)).toEqual({
      status: 0,
      dryRun: false,
      collected: [item],
      kept: [],
      failed: [],
    });
    await host.expectClean(before);
    expect(await lives.reaches('10.99.0.1')).toBe(true);
    expect(await host.cli('gc')).toEqual({ status: 0, stdout: 'nothing to collect\n', stderr: '' });
  });

  test('is refused in the namespace of a container', async ({ host }) => {
    const pod = await host.pod();
    host.configure();
    await host.add(pod, { id: 'inside' });
    const before = await host.snapshot();
    const inside = await exec([...pod.enter, executable(name), 'gc', '--conf-dir', host.confDir]);
    expect(inside).toMatchObject({ status: 3, stdout: '' });
    expect(inside.stderr).toContain(
      'this is the network namespace of container inside of network t: run plumb gc in',
    );
    expect(await host.snapshot()).toEqual(before);
  });

  test('says in words what it collects and why', async ({ host }) => {
    const pod = await host.pod();
    host.configure();
    await host.add(pod);
    await pod.remove();
    await host.settled();
    const why = `its namespace is gone from ${pod.path}; its link is gone too`;
    const expected = (verb: string) => ({
      status: 0,
      stdout: `${verb} attachment c1 eth0 on t (10.99.0.2/29): ${why}\n`,
      stderr: '',
    });
    expect(await host.cli('gc', '-n')).toEqual(expected('would collect'));
    expect(await host.cli('gc')).toEqual(expected('collected'));
  });

  test('a namespace that lives without its path is left alone, until it is gone', async ({ host }) => {
    const pod = await host.pod();
    host.configure();
    await host.add(pod);
    const stop = host.background(pod, ['sleep', '60']);
    await pod.remove();
    const before = await host.snapshot();
    const why = `${pod.path} is not its namespace any more, but the namespace lives`;
    expect(await collect(host)).toMatchObject({ collected: [], kept: [{ containerId: 'c1', why }] });
    expect(await host.snapshot()).toEqual(before);
    await stop();
    await host.settled();
    expect(await collect(host)).toMatchObject({ collected: [{ containerId: 'c1' }], kept: [] });
    expect(await host.leases()).toEqual([]);
  });

  test('a path that leads to another namespace is none of the container’s', async ({ host }) => {
    const pod = await host.pod();
    host.configure();
    await host.add(pod);
    const other = await Namespace.make();
    await pod.remove();
    writeFileSync(pod.path, '');
    await host.net.run('mount', '--bind', other.path, pod.path);
    await host.settled();
    const { collected } = await collect(host);
    await host.net.run('umount', pod.path);
    rmSync(pod.path);
    await other.remove();
    expect(collected).toMatchObject([{ kind: 'attachment', containerId: 'c1' }]);
    expect(await host.leases()).toEqual([]);
  });

  test('a lease alone goes if nobody has the address, and if no ADD can be at work', async ({ host }) => {
    // Addresses that no other test's container has.
    const net = name === 'plumb' ? '10.96.1' : '10.96.2';
    host.configure([host.c4({ subnet: `${net}.0/29` })]);
    const folder = `${host.dataDir}/t`;
    mkdirSync(folder, { recursive: true });
    for (const [file, text] of [
      [`${net}.2`, 'young\r\neth0'],
      [`${net}.3`, 'stale\r\neth0'],
      [`${net}.4`, 'other\r\neth0'],
      [`${net}.5`, 'old-format'],
    ] as const) {
      writeFileSync(`${folder}/${file}`, text);
      if (!text.startsWith('young')) age(`${folder}/${file}`);
    }
    // A container of another plugin's, on the same leases.
    const pod = await host.pod();
    await pod.pair('eth0');
    await pod.ip('address', 'add', `${net}.4/29`, 'dev', 'eth0');
    const { collected, kept, status } = await collect(host);
    expect({ collected, kept, status }).toMatchObject({
      status: 0,
      collected: [
        { kind: 'lease', network: 't', containerId: 'stale', ifname: 'eth0', addresses: [`${net}.3`] },
        { kind: 'lease', network: 't', containerId: 'old-format', ifname: null, addresses: [`${net}.5`] },
      ],
      kept: [
        { containerId: 'young', why: 'an ADD may be at work' },
        { containerId: 'other', why: `something that plumb does not know uses ${net}.4` },
      ],
    });
    expect((await host.leases()).sort()).toEqual([`${net}.2`, `${net}.4`]);
  });

  test('orphans go by their names: ifb, rules, record, with nothing else left', async ({ host }) => {
    const [a, b] = await host.pods(2);
    const config = everything(host);
    host.configure([config]);
    const empty = await host.snapshot();
    await host.add(a ?? '', { id: 'a', config });
    await host.add(b ?? '', { id: 'b' });
    for (const id of ['a', 'b']) rmSync(recordOf(host, id));
    for (const lease of await host.leases()) rmSync(`${host.dataDir}/t/${lease}`);
    await host.net.ip('link', 'set', ifbName(key('a')), 'alias', '');
    await a?.remove();
    await b?.remove();
    await host.settled().catch(() => undefined);
    const damaged = recordOf(host, 'damaged');
    writeFileSync(damaged, '{');
    age(damaged);
    const { collected, failed, kept } = await collect(host);
    expect({ collected, failed, kept }).toEqual({
      failed: [],
      kept: [],
      collected: [
        expect.objectContaining({ kind: 'record', network: 't', link: hostInterfaceName(key('damaged')) }),
        ...[hostInterfaceName(key('a')), hostInterfaceName(key('b'))]
          .sort()
          .map((link) => expect.objectContaining({ kind: 'rules', link })),
        expect.objectContaining({ kind: 'ifb', link: ifbName(key('a')) }),
      ],
    });
    await host.expectClean(empty);
  });

  test('an ifb whose record is lost tells by its alias whose it was', async ({ host }) => {
    const pod = await host.pod();
    const config = everything(host);
    host.configure([config]);
    await host.add(pod, { config });
    rmSync(recordOf(host, 'c1'));
    await pod.remove();
    await until(async () => !(await host.ends()).includes(hostInterfaceName(key('c1'))));
    expect((await collect(host)).collected).toMatchObject([{ kind: 'attachment', ...key('c1') }]);
    expect(await host.ends()).toEqual([]);
    expect(await host.leases()).toEqual([]);
    expect(await host.elements()).toEqual([]);
  });

  test('of one network alone', async ({ host }) => {
    const pods = await host.pods(2);
    const other = { ...host.c4({ subnet: '10.98.0.0/29' }), name: 'other' };
    host.configure();
    host.configure([other], 'other');
    await host.add(pods[0] ?? '');
    await host.add(pods[1] ?? '', { config: other });
    for (const pod of pods) await pod.remove();
    await host.settled();
    expect((await collect(host, 'other')).collected).toMatchObject([{ network: 'other' }]);
    expect(await host.leases('other')).toEqual([]);
    expect(await host.leases()).toEqual(['10.99.0.2']);
    expect((await collect(host)).collected).toMatchObject([{ network: 't' }]);
  });

  test('a lock that is held is reported, and what it is for is found the next time', async ({ host }) => {
    const pods = await host.pods(2);
    host.configure();
    for (const [i, pod] of pods.entries()) await host.add(pod, { id: `c${i}` });
    for (const pod of pods) await pod.remove();
    await host.settled();
    const lock = `${host.dataDir}/t/lock`;
    const held = host.serve(['flock', lock, 'sh', '-c', 'echo held; sleep 60']);
    await held.ready;
    const { status, collected, failed } = await collect(host, '--lock-timeout', '0.2');
    expect({ status, collected }).toEqual({ status: 3, collected: [] });
    expect(failed.map(({ containerId, error }) => ({ containerId, error }))).toEqual(
      ['c0', 'c1'].map((containerId) => ({
        containerId,
        error: expect.stringContaining(`lock ${lock}: still held by process `),
      })),
    );
    expect(readdirSync(`${host.runDir}/t`)).toHaveLength(2);
    // Who waits long is told how far it is.
    const text = await host.cli('gc', '--lock-timeout', '1.1');
    expect(text).toMatchObject({ status: 3, stderr: '1 of 2 …\n' });
    expect(text.stdout).toMatch(
      /^failed: attachment c0 eth0 on t \(10\.99\.0\.2\/29\): lock .*\nfailed: attachment c1 /,
    );
    if (held.pid !== undefined) process.kill(-held.pid, 'SIGKILL');
    expect((await collect(host)).collected).toHaveLength(2);
    expect(readdirSync(`${host.runDir}/t`)).toEqual([]);
    expect(await host.leases()).toEqual([]);
  });

  test('an IPAM plugin gets its DEL, and its error is reported', async ({ host }) => {
    const pod = await host.pod();
    const plugins = new DelegateFolder(`${host.scratch}/bin`);
    const config = { ...host.c4(), ipam: { type: 'ours', x: 1 } };
    const result = { cniVersion: '1.1.0', ips: [{ address: '10.97.0.5/24' }] };
    plugins.answering('ours', result);
    host.configure([config]);
    await host.add(pod, { config, env: { CNI_PATH: plugins.path } });
    await pod.remove();
    await host.settled();
    plugins.failing('ours', 'DEL', `echo '{"code":11,"msg":"not now"}'; exit 1`);
    expect(await collect(host, '--bin-dir', plugins.path)).toMatchObject({
      ...{ status: 3, collected: [], failed: [{ containerId: 'c1', error: 'IPAM plugin ours: not now' }] },
    });
    plugins.answering('ours', result);
    plugins.forget();
    expect(await collect(host, '--bin-dir', plugins.path)).toMatchObject({ status: 0, failed: [] });
    const [call] = plugins.calls();
    expect(call).toMatchObject({
      command: 'DEL',
      environment: { CNI_CONTAINERID: 'c1', CNI_IFNAME: 'eth0', CNI_NETNS: '', CNI_PATH: plugins.path },
    });
    expect(JSON.parse(call?.stdin ?? '')).toMatchObject({ name: 't', ipam: { type: 'ours', x: 1 } });
    expect(existsSync(recordOf(host, 'c1'))).toBe(false);
  });

  test('a wrong timeout is a wrong command line', async ({ host }) => {
    expect(await host.cli('gc', '--lock-timeout', 'soon')).toMatchObject({ status: 2, stdout: '' });
  });
});
