import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { DEFAULT_LIST } from '../../plugin/cli/install/default-list.ts';
import { exec, type Host, hostTest } from '../support/host.ts';
import { executable, INSTALLED, type Outcome } from '../support/plugin.ts';

// `plumb install` and `plumb uninstall`. What runtimes see meanwhile is in field-f.test.ts.

describe.each(INSTALLED)('%s', (name) => {
  const test = hostTest(name);

  const folders = (host: Host): { bin: string; conf: string } => ({
    bin: `${host.scratch}/bin`,
    conf: `${host.scratch}/net.d`,
  });
  const call = (host: Host, ...args: string[]): Promise<Outcome> => {
    const { bin, conf } = folders(host);
    return exec([...host.net.enter, executable(name), ...args, '--bin-dir', bin, '--conf-dir', conf]);
  };

  test('install and uninstall, each twice', async ({ host }) => {
    const { bin, conf } = folders(host);
    const paths = [`${bin}/plumb`, `${bin}/loopback -> plumb`, `${conf}/10-plumb.conflist`];
    expect(await call(host, 'install')).toEqual({
      status: 0,
      stdout: `installed ${paths.join(', ')}\n`,
      stderr: '',
    });
    expect(statSync(`${bin}/plumb`)).toMatchObject({ mode: 0o100755, size: statSync(executable(name)).size });
    expect(statSync(`${conf}/10-plumb.conflist`).mode).toBe(0o100644);
    expect(readFileSync(`${conf}/10-plumb.conflist`, 'utf8')).toBe(DEFAULT_LIST);
    expect(await call(host, 'install', '--json')).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse((await call(host, '--json', 'install')).stdout)).toEqual({
      executable: `${bin}/plumb`,
      loopback: `${bin}/loopback`,
      configuration: `${conf}/10-plumb.conflist`,
      kept: true,
    });

    expect(await call(host, 'uninstall')).toEqual({
      status: 0,
      stdout: `removed ${conf}/10-plumb.conflist\nremoved ${bin}/loopback\nremoved ${bin}/plumb\n`,
      stderr: '',
    });
    expect([readdirSync(bin), readdirSync(conf)]).toEqual([[], []]);
    expect(await call(host, 'uninstall')).toEqual({
      status: 0,
      stdout: 'nothing is installed\n',
      stderr: '',
    });
  });

  test('the installed executable installs itself, into relative folders too', async ({ host }) => {
    const { bin } = folders(host);
    await call(host, 'install');
    const script = `cd "${bin}"; umask 077; ./plumb install --bin-dir . --conf-dir ../other; ./loopback --version; ls -A . ../other`;
    const { status, stdout } = await exec(['sh', '-euc', script]);
    const [installed, version, ...files] = stdout.split('\n');
    expect({ status, installed }).toEqual({
      status: 0,
      installed: `installed ${bin}/plumb, ${bin}/loopback -> plumb, ${host.scratch}/other/10-plumb.conflist`,
    });
    expect(version).toMatch(/^\d+\.\d+\.\d+/);
    expect(files).toEqual(['.:', 'loopback', 'plumb', '', '../other:', '10-plumb.conflist', '']);
    expect(statSync(`${bin}/plumb`).mode).toBe(0o100755);
  });

  test('uninstall waits until no container is attached, unless forced', async ({ host }) => {
    const { bin, conf } = folders(host);
    const list = `${host.scratch}/20-t.conflist`;
    const { cniVersion, name: network, ...entry } = host.c4();
    writeFileSync(list, JSON.stringify({ cniVersion, name: network, plugins: [entry] }));
    expect((await call(host, 'install', '--conf', list)).status).toBe(0);
    const pod = await host.pod();
    await host.add(pod);
    const refused = await call(host, 'uninstall');
    expect(refused).toEqual({
      status: 3,
      stdout: '',
      stderr:
        'plumb: containers are attached, and their runtime needs plumb to detach them: c1 eth0 of network t; stop them first, or use --force\n',
    });
    expect([readdirSync(bin).sort(), readdirSync(conf)]).toEqual([['loopback', 'plumb'], ['20-t.conflist']]);

    await host.ok('DEL', { netns: pod });
    // Somebody wrote it, so that it is not lost.
    expect(await call(host, 'uninstall')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining(`set aside as ${conf}/20-t.conflist.uninstalled\n`),
    });
    expect([readdirSync(bin), readdirSync(conf)]).toEqual([[], ['20-t.conflist.uninstalled']]);
  });

  test('uninstall --force does not wait', async ({ host }) => {
    await call(host, 'install');
    writeFileSync(
      `${folders(host).conf}/20-t.conflist`,
      JSON.stringify({ cniVersion: '1.1.0', name: 't', plugins: [{ type: 'plumb', runDir: host.runDir }] }),
    );
    await host.add(await host.pod());
    expect((await call(host, 'uninstall')).status).toBe(3);
    expect((await call(host, 'uninstall', '--force')).status).toBe(0);
    expect(readdirSync(folders(host).bin)).toEqual([]);
  });

  test('what is not ours stays: other lists, another loopback; a list with other plugins needs --force', async ({
    host,
  }) => {
    const { bin, conf } = folders(host);
    await call(host, 'install');
    const chain = [{ type: 'plumb', ipam: {} }, { type: 'other' }];
    writeFileSync(join(conf, '05-foreign.conflist'), '{ "plugins": [{ "type": "bridge" }] }');
    writeFileSync(join(conf, '06-broken.conflist'), '{');
    writeFileSync(join(conf, '07-chain.conflist'), JSON.stringify({ plugins: chain }));
    writeFileSync(join(bin, 'bridge'), '');
    writeFileSync(join(bin, 'loopback.new'), '');
    await exec(['rm', `${bin}/loopback`]);
    symlinkSync('bridge', `${bin}/loopback`);

    const refused = await call(host, 'uninstall');
    expect(refused).toMatchObject({ status: 3, stdout: '' });
    expect(refused.stderr).toContain(`${conf}/07-chain.conflist calls other plugins beside plumb`);
    expect(readdirSync(conf)).toHaveLength(4);

    expect((await call(host, 'uninstall', '--force')).status).toBe(0);
    expect(readdirSync(conf).sort()).toEqual([
      '05-foreign.conflist',
      '06-broken.conflist',
      '07-chain.conflist.uninstalled',
    ]);
    expect(readdirSync(bin).sort()).toEqual(['bridge', 'loopback', 'loopback.new']);
  });

  test('a killed installer leaves nothing that the next one trips over', async ({ host }) => {
    const { bin, conf } = folders(host);
    mkdirSync(bin);
    mkdirSync(conf);
    writeFileSync(`${bin}/.plumb.new`, 'half');
    symlinkSync('half', `${bin}/.loopback.new`);
    writeFileSync(`${conf}/.10-plumb.conflist.new`, '{');
    expect((await call(host, 'install')).status).toBe(0);
    expect([readdirSync(bin).sort(), readdirSync(conf)]).toEqual([
      ['loopback', 'plumb'],
      ['10-plumb.conflist'],
    ]);
  });

  test('several at a time wait for each other', async ({ host }) => {
    const { bin, conf } = folders(host);
    const outcomes = await Promise.all(Array.from({ length: 4 }, () => call(host, 'install')));
    expect(outcomes.map(({ status, stderr }) => ({ status, stderr }))).toEqual(
      outcomes.map(() => ({ status: 0, stderr: '' })),
    );
    expect([readdirSync(bin).sort(), readdirSync(conf)]).toEqual([
      ['loopback', 'plumb'],
      ['10-plumb.conflist'],
    ]);
    expect(statSync(`${bin}/plumb`).size).toBe(statSync(executable(name)).size);
  });

  test('a file that is not there is told, and nothing is made', async ({ host }) => {
    const outcome = await call(host, 'install', '--conf', '/none/x.conflist');
    expect(outcome).toMatchObject({ status: 3, stdout: '' });
    expect(outcome.stderr).toContain('/none/x.conflist');
    expect(existsSync(folders(host).bin)).toBe(false);
  });
});
