import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeNetns, type Netns, run } from '../support/netns.ts';
import {
  callPlugin,
  EXECUTABLES,
  executable,
  INSTALLED,
  type Outcome,
  repetitions,
  startPlugin,
} from '../support/plugin.ts';

// Section F of the reports from the field: what runtimes send, what they read, and how we are installed.

const VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];
const NOTHING = { status: 0, stdout: '', stderr: '' };

let pod: Netns;
let folder: string;
beforeEach(() => {
  pod = makeNetns();
  folder = mkdtempSync('/run/field-f-');
});
afterEach(() => {
  pod.remove();
  rmSync(folder, { recursive: true });
});

const config = (more: object = {}): Record<string, unknown> => ({
  cniVersion: '1.1.0',
  name: 't',
  type: 'plumb',
  ipMasq: true,
  ipam: {
    type: 'host-local',
    dataDir: `${folder}/leases`,
    subnet: '10.99.0.0/29',
    routes: [{ dst: '0.0.0.0/0' }],
  },
  ...more,
});

/** What a call must not have changed when it was refused. */
const state = (): string =>
  [
    run('ip', '-o', 'link'),
    run('ip', 'route'),
    pod.ip('-o', 'link'),
    ...(existsSync(`${folder}/leases/t`) ? readdirSync(`${folder}/leases/t`) : []).filter((name) =>
      name.startsWith('10.'),
    ),
  ].join('\n');

describe.each(INSTALLED)('%s', (name) => {
  const call = (command: string, stdin: unknown, more: object = {}): Outcome =>
    callPlugin(name, { command, netns: pod.path, stdin, ...more });
  const refused = (outcome: Outcome): { code: number; msg: string; details?: string; cniVersion: string } => {
    expect(outcome).toMatchObject({ status: 1, stderr: '' });
    return JSON.parse(outcome.stdout);
  };

  test.each(['{"cniVersion":"9.9.9"}', '{}', '', '{"cniVersion":"dummy"}', 'no JSON', '[]', 'null'])(
    'B81: VERSION with %j on stdin answers with every version',
    (stdin) => {
      const outcome = call('VERSION', stdin);
      expect(outcome).toMatchObject({ status: 0, stderr: '' });
      expect(JSON.parse(outcome.stdout)).toEqual({ cniVersion: '1.1.0', supportedVersions: VERSIONS });
    },
  );

  test.each(['ADD', 'DEL', 'CHECK', 'GC', 'STATUS'])(
    'B81: %s with a version of the future is code 1 with the list, and does nothing',
    (command) => {
      const before = state();
      const error = refused(call(command, config({ cniVersion: '9.9.9' })));
      expect(error).toMatchObject({ cniVersion: '1.1.0', code: 1 });
      expect(error.msg).toContain('9.9.9');
      expect(error.details?.match(/\d+\.\d+\.\d+/g)).toEqual(VERSIONS);
      expect(state()).toBe(before);
    },
  );

  test.each([undefined, '', '0.1.0', '0.2.0'])(
    'B81: cniVersion %j has the rules of 0.1.0 and 0.2.0',
    (cniVersion) => {
      const { cniVersion: _, ...plain } = config();
      const old = cniVersion === undefined ? plain : { ...plain, cniVersion };
      const added = call('ADD', old);
      expect(added).toMatchObject({ status: 0, stderr: '' });
      expect(JSON.parse(added.stdout)).toEqual({
        cniVersion: cniVersion || '0.1.0',
        ip4: { ip: '10.99.0.2/29', gateway: '10.99.0.1', routes: [{ dst: '0.0.0.0/0' }] },
      });
      for (const command of ['CHECK', 'GC', 'STATUS']) {
        expect(refused(call(command, { ...old, prevResult: JSON.parse(added.stdout) })).code).toBe(1);
      }
      expect(call('DEL', { ...old, prevResult: JSON.parse(added.stdout) })).toEqual(NOTHING);
    },
  );

  test.each(VERSIONS)(
    'B81: CHECK from 0.4.0, GC and STATUS from 1.1.0; the configuration says %s',
    (cniVersion) => {
      const added = call('ADD', config({ cniVersion }));
      expect(added).toMatchObject({ status: 0, stderr: '' });
      expect(JSON.parse(added.stdout).cniVersion).toBe(cniVersion);
      const given = config({
        cniVersion,
        prevResult: JSON.parse(added.stdout),
        'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }],
      });
      for (const [command, since] of [
        ['CHECK', '0.4.0'],
        ['GC', '1.1.0'],
        ['STATUS', '1.1.0'],
      ] as const) {
        const outcome = call(command, given);
        if (cniVersion >= since) expect(outcome).toEqual(NOTHING);
        else expect(refused(outcome)).toMatchObject({ cniVersion, code: 1 });
      }
      expect(call('DEL', given)).toEqual(NOTHING);
    },
  );

  test('B83: one JSON document or nothing, whatever the call and however loud the environment', () => {
    const env = {
      NODE_DEBUG: 'net,module,fs',
      NODE_PENDING_DEPRECATION: '1',
      NODE_OPTIONS: '--trace-warnings --pending-deprecation',
      DEBUG: '*',
      CNI_LOG: 'debug',
      LOG_LEVEL: 'debug',
      BUN_DEBUG_ALL: '1',
      BUN_DEBUG: '1',
    };
    const loud = (command: string, stdin: unknown): Outcome => call(command, stdin, { env });
    const bad = config({
      ipam: { ...Object(config()['ipam']), routes: [{ dst: '192.0.2.0/24', gw: '203.0.113.1' }] },
    });
    const kernelRefuses = loud('ADD', bad);
    expect(refused(kernelRefuses)).toMatchObject({ cniVersion: '1.1.0', code: 102 });
    expect(kernelRefuses.stdout.match(/"cniVersion"/g)).toHaveLength(1);
    expect(refused(loud('ADD', '{ broken'))).toMatchObject({ code: 6 });

    const version = loud('VERSION', '{"cniVersion":"1.1.0"}');
    expect(version).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(version.stdout)).toHaveProperty('supportedVersions');
    const added = loud('ADD', config());
    expect(added).toMatchObject({ status: 0, stderr: '' });
    const prevResult = JSON.parse(added.stdout);
    expect(prevResult).toMatchObject({ cniVersion: '1.1.0', ips: [{ gateway: '10.99.0.1' }] });
    const valid = [{ containerID: 'c1', ifname: 'eth0' }];
    expect(loud('CHECK', config({ prevResult }))).toEqual(NOTHING);
    expect(loud('GC', config({ 'cni.dev/valid-attachments': valid }))).toEqual(NOTHING);
    expect(loud('STATUS', config())).toEqual(NOTHING);
    expect(loud('DEL', config({ prevResult }))).toEqual(NOTHING);
    expect(refused(loud('CHECK', config({ prevResult })))).toMatchObject({ code: 102 });
    expect(refused(loud('GC', config()))).toMatchObject({ code: 7 });
  });

  test('B88: what runtimes put into CNI_ARGS is ignored with IgnoreUnknown', () => {
    const kubelet =
      'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=1f';
    for (const args of [kubelet, 'K8S_POD_NAME=web-0;IgnoreUnknown=true', 'K8S_POD_NAME=;IgnoreUnknown=1']) {
      expect(call('ADD', config(), { args })).toMatchObject({ status: 0, stderr: '' });
      expect(call('DEL', config(), { args })).toEqual(NOTHING);
    }
    const asked = call('ADD', config(), { args: `${kubelet};IP=10.99.0.5` });
    expect(JSON.parse(asked.stdout).ips).toMatchObject([{ address: '10.99.0.5/29' }]);
    expect(call('DEL', config(), { args: kubelet })).toEqual(NOTHING);
  });

  test('B88: an unknown key without IgnoreUnknown is named', () => {
    const before = state();
    for (const args of [
      'K8S_POD_NAME=web-0',
      'IgnoreUnknown=0;K8S_POD_NAME=web-0',
      'IP=10.99.0.5;K8S_POD_NAME=a',
    ]) {
      const { code, msg } = refused(call('ADD', config(), { args }));
      expect(code).toBe(4);
      expect(msg).toContain('K8S_POD_NAME');
    }
    expect(state()).toBe(before);
  });

  test.each(['A;B', 'IP', 'IgnoreUnknown=1;A', '=1', ';'])('B88: CNI_ARGS %j is code 4', (args) => {
    const { code, msg } = refused(call('ADD', config(), { args }));
    expect(code).toBe(4);
    expect(msg).toContain('CNI_ARGS');
  });

  test('B88: keys of a configuration that nobody knows are ignored', () => {
    const given = config({
      keyOfTomorrow: { deep: [1, null] },
      'example.org/annotation': true,
      args: { cni: { labels: [{ key: 'app', value: 'web' }] }, 'org.example': { policy: 'none' } },
      runtimeConfig: { 'io.kubernetes.cri.pod-annotations': { a: 'b' }, cgroupPath: '/kubepods/x' },
      capabilities: { somethingNew: true },
      ipam: { ...Object(config()['ipam']), keyOfTomorrow: 1 },
    });
    const added = call('ADD', given);
    expect(added).toMatchObject({ status: 0, stderr: '' });
    const prevResult = { ...JSON.parse(added.stdout), keyOfTomorrow: 1 };
    expect(call('CHECK', { ...given, prevResult })).toEqual(NOTHING);
    expect(call('DEL', { ...given, prevResult })).toEqual(NOTHING);
  });
});

interface Installed {
  readonly bin: string;
  readonly conf: string;
  install(...args: string[]): Outcome;
}

// The real folders are in the way of nothing: both are always named.
const placeArgs = ({ bin, conf }: Pick<Installed, 'bin' | 'conf'>): string[] => [
  'install',
  '--bin-dir',
  bin,
  '--conf-dir',
  conf,
];

function installed(): Installed {
  const bin = `${folder}/bin`;
  const conf = `${folder}/net.d`;
  return {
    bin,
    conf,
    install: (...args) => {
      const { status, stdout, stderr } = spawnSync(
        executable('plumb'),
        [...placeArgs({ bin, conf }), ...args],
        { encoding: 'utf8', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } },
      );
      return { status, stdout, stderr };
    },
  };
}

const list = (more: object = {}): string =>
  JSON.stringify({ cniVersion: '1.1.0', name: 'pods', plugins: [{ ...config(), ...more }] });

// Looks at the folder as a runtime does, as often as it can, until it is told to stop; then says what was ever wrong.
const WATCHER = `
const fs = require('node:fs');
require('node:os').setPriority(19);
const [folder, plugin] = process.argv.slice(1);
const inode = fs.statSync(folder).ino;
const wrong = new Set();
let looks = 0, files = 0;
function look() {
  if (fs.statSync(folder).ino !== inode) wrong.add('another folder');
  const names = fs.readdirSync(folder).filter((name) => /[.](conf|conflist|json)$/.test(name));
  if (names.length > 1 || names.length < files) wrong.add('files: ' + names);
  files = names.length;
  for (const name of names) {
    const text = fs.readFileSync(folder + '/' + name, 'utf8');
    try {
      if (JSON.parse(text).plugins[0].type !== 'plumb') wrong.add(text);
    } catch {
      wrong.add(text);
    }
    if (!fs.existsSync(plugin)) wrong.add('no plugin');
  }
  looks++;
}
process.stdout.write('watching');
process.stdin.on('data', () => {}).on('end', () => {
  // On a busy machine it may not have had its turn since.
  look();
  console.log(JSON.stringify({ wrong: [...wrong], files, looked: looks > 100 }));
  process.exit();
});
setInterval(() => { for (const end = Date.now() + 20; Date.now() < end; ) look(); }, 0);
`;

async function watching(place: Installed, fn: () => Promise<void>): Promise<unknown> {
  const child = spawn(process.execPath, ['-e', WATCHER, place.conf, `${place.bin}/plumb`]);
  let output = '';
  child.stderr.pipe(process.stderr);
  await new Promise<void>((done) => {
    child.stdout.on('data', (text) => {
      output += text;
      done();
    });
  });
  const ended = once(child, 'close');
  try {
    await fn();
  } finally {
    child.stdin.end();
    await ended;
  }
  return JSON.parse(output.replace('watching', ''));
}

const installAsync = (place: Installed, name: string, ...args: string[]): Promise<number | null> =>
  new Promise((resolve) => {
    const child = spawn(executable(name), [...placeArgs(place), ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    child.on('close', resolve);
  });

describe('plumb install', () => {
  // Even, so that the last is the other version.
  const replacements = 2 * repetitions(10);
  test(`B86, B87: ${replacements} replacements while runtimes call the executable and watch the configuration`, async () => {
    const place = installed();
    mkdirSync(place.conf);
    const versions = EXECUTABLES.map((name, i) => {
      mkdirSync(`${folder}/${i}`);
      const conf = `${folder}/${i}/10-pods.conflist`;
      writeFileSync(
        conf,
        list({ dns: { nameservers: Array.from({ length: 1 + i * 500 }, () => '10.99.0.1') } }),
      );
      return [name, '--conf', conf] as const;
    });
    const version = (i: number) => versions[i % 2] ?? expect.fail('there are two');
    const pods = [makeNetns(), makeNetns()];
    let isOver = false;
    const failures: unknown[] = [];
    const attach = async (netns: Netns, i: number): Promise<number> => {
      let cycles = 0;
      for (; !isOver; cycles++) {
        for (const command of ['ADD', 'DEL']) {
          const outcome = await startPlugin(`${place.bin}/plumb`, {
            command,
            containerId: `c${i}`,
            netns: netns.path,
            stdin: config(),
          }).catch((error: unknown) => ({ status: -1, stdout: String(error), stderr: '' }));
          if (outcome.status !== 0 || outcome.stderr !== '') failures.push(outcome);
        }
        // The installer is to have its turn too.
        await sleep(10);
      }
      return cycles;
    };
    const seen = await watching(place, async () => {
      expect(await installAsync(place, ...version(0))).toBe(0);
      const loops = pods.map(attach);
      try {
        for (let i = 0; i < replacements; i++) expect(await installAsync(place, ...version(i))).toBe(0);
      } finally {
        isOver = true;
        for (const cycles of await Promise.all(loops)) expect(cycles).toBeGreaterThan(3);
      }
    });
    for (const netns of pods) netns.remove();

    expect(failures).toEqual([]);
    expect(seen).toEqual({ wrong: [], files: 1, looked: true });
    expect(readdirSync(place.conf)).toEqual(['10-pods.conflist']);
    expect(readdirSync(place.bin).sort()).toEqual(['loopback', 'plumb']);
    expect(statSync(`${place.bin}/plumb`)).toMatchObject({
      mode: 0o100755,
      size: statSync(executable('plumb-node')).size,
    });
    expect(readFileSync(`${place.conf}/10-pods.conflist`, 'utf8')).toBe(
      readFileSync(`${folder}/1/10-pods.conflist`, 'utf8'),
    );
  });

  test('B87: the configuration comes last, and what an administrator wrote is kept', async () => {
    const place = installed();
    mkdirSync(place.conf);
    const before = statSync(place.conf).ino;
    const seen = await watching(place, async () => {
      expect(await installAsync(place, 'plumb')).toBe(0);
    });
    expect(seen).toMatchObject({ wrong: [], files: 1 });
    expect(statSync(place.conf).ino).toBe(before);
    const target = `${place.conf}/10-plumb.conflist`;
    expect(JSON.parse(readFileSync(target, 'utf8')).plugins).toHaveLength(1);
    expect(callPlugin(`${place.bin}/plumb`, { command: 'VERSION', stdin: '{}' }).status).toBe(0);
    const loopback = callPlugin(`${place.bin}/loopback`, {
      command: 'ADD',
      netns: pod.path,
      ifname: 'lo',
      stdin: { cniVersion: '1.0.0', name: 'lo', type: 'loopback' },
    });
    expect(loopback).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(loopback.stdout).interfaces).toMatchObject([{ name: 'lo', sandbox: pod.path }]);

    writeFileSync(target, list());
    expect(place.install()).toEqual({
      status: 0,
      stdout: `installed ${place.bin}/plumb, ${place.bin}/loopback -> plumb, ${target} (kept)\n`,
      stderr: '',
    });
    expect(readFileSync(target, 'utf8')).toBe(list());
  });

  test.each([
    ['no JSON', '{ "name": "pods"', ':1:17: error: the document: a } is missing'],
    ['two documents', `${'{}'}\n${'{}'}`, ':2:1: error: the document: there is something behind the end'],
    ['nothing', '', ':1:1: error: the document: the file is empty'],
    [
      'no list',
      JSON.stringify({ cniVersion: '1.1.0', name: 'pods', type: 'plumb' }),
      'error: plugins: missing',
    ],
    [
      'no version',
      JSON.stringify({ name: 'pods', plugins: [{ type: 'plumb' }] }),
      'error: cniVersion: missing',
    ],
    ['another plugin', list({ type: 'bridge' }), 'no plugin of type plumb'],
    ['a value that plumb refuses', list({ mtu: -1 }), 'error: plugins[0].mtu: -1 is not allowed'],
  ])('B87: %s is refused before anything is changed', (_, text, message) => {
    const place = installed();
    const conf = `${folder}/10-new.conflist`;
    writeFileSync(conf, text);
    const { status, stdout, stderr } = place.install('--conf', conf);
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain(basename(conf));
    expect(existsSync(place.bin)).toBe(false);
    expect(existsSync(place.conf)).toBe(false);
  });

  test('B86: a disk that is full leaves no half file', () => {
    const place = installed();
    mkdirSync(place.bin);
    run('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', place.bin);
    try {
      const { status, stderr } = place.install();
      expect(status).toBe(3);
      expect(stderr).toBe(
        `plumb: cannot put ${place.bin}/plumb in place: ENOSPC: no space left on device, write\n`,
      );
      expect(readdirSync(place.bin)).toEqual([]);
      expect(existsSync(place.conf) ? readdirSync(place.conf) : []).toEqual([]);
    } finally {
      run('umount', place.bin);
    }
  });

  test('B86: an executable that cannot be started where it is to be is not installed over one that can', () => {
    const place = installed();
    expect(place.install().status).toBe(0);
    run('mount', '--bind', place.bin, place.bin);
    try {
      run('mount', '-o', 'remount,bind,noexec', place.bin);
      const before = statSync(`${place.bin}/plumb`).ino;
      const { status, stderr } = place.install();
      expect(status).toBe(3);
      expect(stderr).toContain('does not answer VERSION');
      expect(stderr).toContain('EACCES');
      expect(statSync(`${place.bin}/plumb`).ino).toBe(before);
      expect(readdirSync(place.bin).sort()).toEqual(['loopback', 'plumb']);
    } finally {
      run('umount', place.bin);
    }
  });
});
