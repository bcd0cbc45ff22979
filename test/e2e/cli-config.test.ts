import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { exec, type Host, hostTest } from '../support/host.ts';
import { executable, INSTALLED, type Outcome } from '../support/plugin.ts';

// `plumb check-config` and `plumb convert` as commands; what they find and make is in the unit tests.

describe.each(INSTALLED)('%s', (name) => {
  const test = hostTest(name);
  const call = (host: Host, ...args: string[]): Promise<Outcome> =>
    exec([...host.net.enter, executable(name), ...args]);

  /** Writes a file into a folder of its own. */
  const write = (host: Host, file: string, value: unknown): string => {
    mkdirSync(`${host.scratch}/net.d`, { recursive: true });
    const path = `${host.scratch}/net.d/${file}`;
    writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
    return path;
  };
  /** Where a text stands in a file of one line. */
  const columnOf = (file: string, text: string): number => readFileSync(file, 'utf8').indexOf(text) + 1;
  const list = (subnet: string, more: object = {}): object => ({
    cniVersion: '1.1.0',
    name: 'pods',
    plugins: [{ type: 'plumb', ipam: { type: 'host-local', subnet }, ...more }],
  });

  test('check-config: a good file, a wrong one, one that is not there', async ({ host }) => {
    const good = write(host, '10-good.conflist', list('10.1.0.0/16'));
    expect(await call(host, 'check-config', good)).toEqual({
      status: 0,
      stdout: `${good}: good\n`,
      stderr: '',
    });
    const wrong = write(host, '20-wrong.conflist', { ...list('10.2.0.0/33'), name: 'other' });
    const message = '"10.2.0.0/33" is not allowed; allowed: a network in CIDR notation such as 10.1.0.0/16';
    const column = columnOf(wrong, '"10.2.0.0/33"');
    expect(column).toBeGreaterThan(80);
    expect(await call(host, 'check-config', good, wrong)).toEqual({
      status: 1,
      stdout: `${good}: good\n${wrong}:1:${column}: error: plugins[0].ipam.subnet: ${message}\n`,
      stderr: '',
    });
    expect(JSON.parse((await call(host, 'check-config', '--json', wrong)).stdout)).toEqual([
      {
        file: wrong,
        problems: [{ severity: 'error', path: 'plugins[0].ipam.subnet', message, line: 1, column }],
      },
    ]);
    const missing = await call(host, 'check-config', '/none.conflist');
    expect(missing).toMatchObject({ status: 3, stdout: '' });
    expect(missing.stderr).toContain('/none.conflist');
    expect((await call(host, 'check-config')).status).toBe(2);
  });

  test('check-config compares subnets with the host’s routes, but for those to its own containers', async ({
    host,
  }) => {
    const { net } = host;
    await net.pair('up0');
    await net.ip('addr', 'add', '10.99.0.1/29', 'dev', 'up0');
    await net.ip('route', 'add', '10.96.0.0/12', 'via', '10.99.0.2');
    await net.ip('route', 'add', 'default', 'via', '10.99.0.2');
    await net.ip('route', 'add', 'blackhole', '10.99.0.4/32');
    await net.ip('route', 'add', '10.99.0.0/30', 'dev', 'up0', 'table', '100');
    const config = write(host, '10-pods.conflist', list('10.99.0.0/24'));
    const remedy =
      'what is behind that route and the containers hide each other; choose another subnet, or remove the route';
    // A warning is no error: the network works.
    expect(await call(host, 'check-config', config)).toEqual({
      status: 0,
      stdout: `${config}:1:${columnOf(config, '"10.99.0.0/24"')}: warning: plugins[0].ipam.subnet: 10.99.0.0/24 overlaps the host's route 10.96.0.0/12 via 10.99.0.2 dev up0, the host's route 10.99.0.0/29 dev up0: ${remedy}\n`,
      stderr: '',
    });
    expect((await call(host, 'check-config', '--no-host', config)).stdout).toBe(`${config}: good\n`);
    await net.ip('link', 'del', 'up0');
    await host.add(await host.pod());
    expect(await net.ip('route', 'show', '10.99.0.2')).toContain('plumb');
    expect((await call(host, 'check-config', config)).stdout).toBe(`${config}: good\n`);
  });

  test('convert: to standard output, to a file, and not what is wrong', async ({ host }) => {
    const from = {
      cniVersion: '1.0.0',
      name: 'pods',
      plugins: [
        { type: 'bridge', vlan: 5, ipam: { type: 'host-local', subnet: '10.1.0.0/16' } },
        { type: 'portmap', capabilities: { portMappings: true } },
      ],
    };
    const file = write(host, '10-bridge.conflist', from);
    const text = `{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [
    {
      "type": "plumb",
      "capabilities": { "portMappings": true, "ips": true },
      "ipam": { "type": "host-local", "subnet": "10.1.0.0/16" }
    }
  ]
}
`;
    const stderr =
      'not carried over: plugins[0].vlan: the containers are not in a VLAN; they can be kept apart by "ingressPolicy"\n';
    expect(await call(host, 'convert', file)).toEqual({ status: 0, stdout: text, stderr });
    expect(await call(host, 'convert', file, '--output', file)).toEqual({ status: 0, stdout: '', stderr });
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect((await call(host, 'check-config', file)).stdout).toBe(`${file}: good\n`);
    const { list: converted, remarks } = JSON.parse((await call(host, 'convert', '--json', file)).stdout);
    expect({ converted, remarks }).toEqual({ converted: JSON.parse(text), remarks: [] });

    const wrong = write(host, '20.conflist', JSON.stringify(from).replace('/16', '/33'));
    const refused = await call(host, 'convert', wrong, '--output', `${host.scratch}/new.conflist`);
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toContain('error: plugins[0].ipam.subnet: "10.1.0.0/33" is not allowed');
    expect((await exec(['ls', `${host.scratch}/new.conflist`])).status).not.toBe(0);
    const foreign = write(host, '30.conflist', { ...from, plugins: [{ type: 'macvlan' }] });
    expect(await call(host, 'convert', foreign)).toMatchObject({
      status: 3,
      stdout: '',
      stderr: expect.stringContaining('no plugin that plumb could take the place of ("macvlan")'),
    });
  });
});
