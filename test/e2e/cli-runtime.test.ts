import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { hostInterfaceName } from '../../plugin/names.ts';
import { DelegateFolder } from '../support/delegate.ts';
import { type Host, hostTest, type Namespace } from '../support/host.ts';
import { executable, INSTALLED } from '../support/plugin.ts';

const cnitool = join(import.meta.dirname, '../../.cache/cnitool');
const RESULT = { cniVersion: '1.1.0', interfaces: [{ name: 'seen' }] };

/** A folder of plugins in which plumb is, and the options that lead to it and to a cache of the test's own. */
function setUp(host: Host, name: string) {
  const plugins = new DelegateFolder(`${host.scratch}/bin`);
  plugins.link('plumb', executable(name));
  const options = ['--bin-dir', plugins.path, '--cache-dir', `${host.scratch}/cache`];
  return { plugins, options, results: `${host.scratch}/cache/results` };
}

function idOf(pod: Namespace): string {
  return `cnitool-${createHash('sha512').update(pod.path).digest().subarray(0, 10).toString('hex')}`;
}

describe.concurrent.each(INSTALLED)('plumb add, check, del, status: %s', (name) => {
  const test = hostTest(name);

  test('adds, checks and deletes, and says so', async ({ host }) => {
    const pod = await host.pod();
    const { options } = setUp(host, name);
    host.configure();
    const before = await host.snapshot();
    const added = await host.cli('add', 't', pod.path, ...options);
    expect(added).toMatchObject({ status: 0, stderr: '' });
    const hostName = hostInterfaceName({ network: 't', containerId: idOf(pod), ifname: 'eth0' });
    const rows = added.stdout.split('\n').map((line) => line.split(/ {2,}/));
    expect(rows[0]).toEqual(['INTERFACE', 'WHERE', 'MAC', 'MTU', 'ADDRESSES']);
    expect(rows[1]?.slice(0, 2)).toEqual([hostName, 'host']);
    expect(rows[2]?.toSpliced(2, 1)).toEqual(['eth0', pod.path, '1500', '10.99.0.2/29 via 10.99.0.1']);
    expect(rows.slice(4, 6)).toEqual([
      ['ROUTE', 'VIA'],
      ['0.0.0.0/0', 'the gateway'],
    ]);
    expect(await pod.reaches('10.99.0.1')).toBe(true);
    expect(await host.cli('check', 't', pod.path, ...options)).toEqual({
      status: 0,
      stdout: `${idOf(pod)} eth0 on t is as ADD left it\n`,
      stderr: '',
    });
    const deleted = { status: 0, stdout: `${idOf(pod)} eth0 is detached from t\n`, stderr: '' };
    expect(await host.cli('del', 't', pod.path, ...options)).toEqual(deleted);
    await host.expectClean(before);
    expect(await host.cli('del', 't', pod.path, ...options)).toEqual(deleted);
  });

  test('each plugin of a list gets what libcni would give it', async ({ host }) => {
    const pod = await host.pod();
    const { plugins, options, results } = setUp(host, name);
    plugins.answering('first', { ...RESULT, ips: [{ address: '10.0.0.1/24' }] });
    plugins.answering('second', RESULT);
    host.configure([
      { type: 'first', capabilities: { mac: true, bandwidth: false, portMappings: true }, x: 1 },
      { type: 'second', name: 'not this', cniVersion: '0.1.0' },
    ]);
    const all = [...options, '--id', 'c7', '-i', 'net5', '--args', 'IgnoreUnknown=1;K=v'];
    const capabilities = { mac: '02:00:00:00:00:07', bandwidth: {}, ips: ['10.0.0.9'] };
    const capabilityArgs = ['--capability-args', JSON.stringify(capabilities)];
    expect(await host.cliJson('add', 't', pod.path, ...all, ...capabilityArgs)).toEqual(RESULT);
    const [one, two] = plugins.calls();
    const environment = {
      CNI_COMMAND: 'ADD',
      CNI_CONTAINERID: 'c7',
      CNI_NETNS: pod.path,
      CNI_IFNAME: 'net5',
      CNI_ARGS: 'IgnoreUnknown=1;K=v',
      CNI_PATH: plugins.path,
    };
    expect(one?.environment).toMatchObject(environment);
    expect(two?.environment).toMatchObject(environment);
    const entry = { type: 'first', capabilities: { mac: true, bandwidth: false, portMappings: true }, x: 1 };
    const first = { ...entry, name: 't', cniVersion: '1.1.0', runtimeConfig: { mac: capabilities.mac } };
    const second = { type: 'second', name: 't', cniVersion: '1.1.0' };
    expect(JSON.parse(one?.stdin ?? '')).toEqual(first);
    expect(JSON.parse(two?.stdin ?? '')).toEqual({
      ...second,
      prevResult: { ...RESULT, ips: [{ address: '10.0.0.1/24' }] },
    });
    expect(JSON.parse(readFileSync(`${results}/t-c7-net5`, 'utf8'))).toEqual({
      kind: 'cniCacheV1',
      containerId: 'c7',
      config: readFileSync(`${host.confDir}/t.conflist`).toString('base64'),
      ifName: 'net5',
      networkName: 't',
      netns: pod.path,
      cniArgs: [
        ['IgnoreUnknown', '1'],
        ['K', 'v'],
      ],
      capabilityArgs: capabilities,
      result: RESULT,
    });
    for (const [command, order] of [
      ['CHECK', ['first', 'second']],
      ['DEL', ['second', 'first']],
    ] as const) {
      plugins.forget();
      expect(await host.cli(command.toLowerCase(), 't', pod.path, ...all, ...capabilityArgs)).toMatchObject({
        status: 0,
      });
      const documents = plugins.calls().map(({ stdin }): unknown => JSON.parse(stdin));
      const known: Record<string, object> = { first, second };
      expect(documents).toEqual(order.map((type) => ({ ...known[type], prevResult: RESULT })));
      expect(plugins.calls().map((call) => call.command)).toEqual([command, command]);
    }
    expect(readdirSync(results)).toEqual([]);
  });

  test('variables do what options do, and options come first', async ({ host }) => {
    const pod = await host.pod();
    const { plugins, options } = setUp(host, name);
    plugins.answering('first', RESULT);
    host.configure([{ type: 'first', capabilities: { mac: true } }]);
    const environment = [
      ...['env', `NETCONFPATH=${host.confDir}`, `CNI_PATH=${plugins.path}`, 'CNI_IFNAME=net8'],
      ...['CNI_ARGS=A=b', 'CAP_ARGS={"mac":"02:00:00:00:00:08"}', executable(name)],
    ];
    const cache = options.slice(2);
    await host.net.run(...environment, 'add', 't', pod.path, ...cache);
    await host.net.run(...environment, 'del', 't', pod.path, ...cache, '--ifname', 'net9', '--args', 'C=d');
    const [one, two] = plugins.calls();
    expect(one?.environment).toMatchObject({ CNI_IFNAME: 'net8', CNI_ARGS: 'A=b', CNI_PATH: plugins.path });
    expect(JSON.parse(one?.stdin ?? '')).toMatchObject({ runtimeConfig: { mac: '02:00:00:00:00:08' } });
    expect(two?.environment).toMatchObject({ CNI_IFNAME: 'net9', CNI_ARGS: 'C=d' });
  });

  test('what is attached is not attached again, and stays', async ({ host }) => {
    const pod = await host.pod();
    const { options, results } = setUp(host, name);
    host.configure();
    await host.cliJson('add', 't', pod.path, ...options);
    const before = await host.snapshot();
    expect(await host.cli('add', 't', pod.path, ...options)).toEqual({
      status: 3,
      stdout: '',
      stderr: `plumb: ${idOf(pod)} has an interface eth0 on t already: plumb del removes it (${results}/t-${idOf(pod)}-eth0)\n`,
    });
    // Nor where the cache is lost: the plugin itself refuses then.
    const elsewhere = [...options.slice(0, 2), '--cache-dir', `${host.scratch}/other`];
    const again = await host.cli('add', 't', pod.path, ...elsewhere);
    expect(again).toMatchObject({ status: 3, stdout: '' });
    expect(again.stderr).toContain('plugin plumb: ');
    await host.expectClean(before);
    expect(await pod.reaches('10.99.0.1')).toBe(true);
  });

  test('a list that fails leaves nothing', async ({ host }) => {
    const pod = await host.pod();
    const { plugins, options } = setUp(host, name);
    plugins.failing('broken', 'ADD', `echo '{"code":77,"msg":"no luck","details":"at all"}'; exit 1`);
    host.configure([host.c4(), { type: 'broken' }]);
    const before = await host.snapshot();
    expect(await host.cli('add', 't', pod.path, ...options)).toEqual({
      status: 3,
      stdout: '',
      stderr: 'plumb: plugin broken: no luck (at all)\n',
    });
    expect(plugins.calls().map(({ command }) => command)).toEqual(['ADD', 'DEL']);
    await host.expectClean(before);
    expect(await pod.links()).toEqual(['lo']);
  });

  test('check tells what is wrong, with exit code 1', async ({ host }) => {
    const pod = await host.pod();
    const { options } = setUp(host, name);
    host.configure();
    await host.cliJson('add', 't', pod.path, ...options);
    await host.net.run('nft', 'flush', 'set', 'inet', 'plumb', 'masq');
    const hostName = hostInterfaceName({ network: 't', containerId: idOf(pod), ifname: 'eth0' });
    const message = `plugin plumb: network t: masquerading of ${hostName} is missing`;
    expect(await host.cli('check', 't', pod.path, ...options)).toEqual({
      status: 1,
      stdout: `${message}\n`,
      stderr: '',
    });
    const { status, stdout } = await host.cli('check', 't', pod.path, ...options, '--json');
    expect({ status, value: JSON.parse(stdout) }).toEqual({
      status: 1,
      value: { ok: false, code: 102, message },
    });
    const other = await host.cli('check', 't', pod.path, ...options, '--ifname', 'net1');
    expect(other).toMatchObject({ status: 3, stdout: '' });
    expect(other.stderr).toContain(`there is no result of ADD for ${idOf(pod)} net1 on t`);
  });

  test('status tells whether a network is ready', async ({ host }) => {
    const { options } = setUp(host, name);
    host.configure();
    expect(await host.cli('status', 't', ...options)).toEqual({
      status: 0,
      stdout: 'network t is ready\n',
      stderr: '',
    });
    expect(await host.cliJson('status', 't', '/proc/self/ns/net', ...options)).toEqual({
      ...{ ok: true, code: null, message: null },
    });
    host.configure([host.c4({ rangeStart: '10.99.0.6' })]);
    await host.cliJson('add', 't', (await host.pod()).path, ...options);
    expect(await host.cli('status', 't', ...options)).toEqual({
      status: 1,
      stdout: 'plugin plumb: no address available in 10.99.0.6-10.99.0.6\n',
      stderr: '',
    });
  });

  test('del works without the namespace', async ({ host }) => {
    const pod = await host.pod();
    const { options } = setUp(host, name);
    host.configure();
    const before = await host.snapshot();
    await host.cliJson('add', 't', pod.path, ...options);
    await pod.remove();
    expect(await host.cliJson('del', 't', pod.path, ...options)).toEqual({
      ...{ network: 't', containerId: idOf(pod), ifname: 'eth0' },
    });
    await host.expectClean(before);
  });

  test.for([
    ['a network that is not there', ['x', '/n'], 3, 'no network "x" is configured here; there are t'],
    ['a plugin that is not there', ['t', '/n', '--bin-dir', '/none'], 3, 'there is no plugin plumb in /none'],
    [
      'capability arguments that are no object',
      ['t', '/n', '--capability-args', '[]'],
      3,
      'must be a JSON object',
    ],
    ['arguments that are none', ['t', '/n', '--args', 'A'], 3, '"A" is not KEY=VALUE'],
    ['no namespace', ['t'], 2, "missing required argument 'netns'"],
  ] as const)('%s is refused', async ([, args, status, message], { host }) => {
    host.configure();
    const outcome = await host.cli('add', ...args);
    expect(outcome).toMatchObject({ status, stdout: '' });
    expect(outcome.stderr).toContain(message);
  });

  test.skipIf(!existsSync(cnitool))(
    'cnitool finds what plumb has added, and plumb what cnitool has',
    async ({ host }) => {
      const pod = await host.pod();
      const { plugins } = setUp(host, name);
      // The newest version that Debian's cnitool speaks.
      host.configure([{ ...host.c4(), capabilities: { portMappings: true } }], 't', { cniVersion: '1.0.0' });
      mkdirSync(`${host.scratch}/cni`);
      const before = await host.snapshot();
      // cnitool's cache cannot be told to lie elsewhere.
      const script = `
      mount -t tmpfs tmpfs /var/lib
      export NETCONFPATH=${host.confDir} CNI_PATH=${plugins.path}
      export CAP_ARGS='{"portMappings":[{"hostPort":8081,"containerPort":81,"protocol":"tcp"}]}'
      plumb=${executable(name)}
      $plumb add t ${pod.path} > /dev/null; ${cnitool} check t ${pod.path}; ${cnitool} del t ${pod.path}
      ls /var/lib/cni/results
      ${cnitool} add t ${pod.path} > /dev/null; $plumb check t ${pod.path}; $plumb del t ${pod.path}
      ls /var/lib/cni/results`;
      const output = await host.net.run('unshare', '-m', 'sh', '-euc', script);
      expect(output).toBe(`${idOf(pod)} eth0 on t is as ADD left it\n${idOf(pod)} eth0 is detached from t\n`);
      await host.expectClean(before);
    },
  );
});
