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
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeNetns, type Netns, run } from '../support/netns.ts';
import { callPlugin, expectDone, INSTALLED, type Outcome, resultOf } from '../support/plugin.ts';

let pod: Netns;
let folder: string;
let runDir: string;

beforeEach(() => {
  pod = makeNetns();
  folder = mkdtempSync('/run/record-');
  runDir = `${folder}/run`;
});
afterEach(() => {
  pod.remove();
  rmSync(folder, { recursive: true });
});

const config = (more: object = {}, ipam: object = {}): Record<string, unknown> => ({
  cniVersion: '1.1.0',
  name: 'recorded',
  type: 'plumb',
  ipMasq: true,
  runDir,
  ipam: {
    type: 'host-local',
    dataDir: `${folder}/leases`,
    subnet: '10.99.0.0/28',
    routes: [{ dst: '0.0.0.0/0' }],
    ...ipam,
  },
  ...more,
});

const records = (): string[] => readdirSync(`${runDir}/recorded`);
const leases = (where = 'leases'): string[] =>
  readdirSync(`${folder}/${where}/recorded`).filter((name) => name.startsWith('10.'));
const state = (): string => run('sh', '-c', 'ip -o link; ip route; nft list ruleset');

describe.each(INSTALLED)('%s', (name) => {
  const call = (command: string, stdin: unknown, containerId = 'c1', netns = pod.path): Outcome =>
    callPlugin(name, { command, stdin, containerId, netns });
  const added = (stdin: unknown, containerId?: string, netns?: string) =>
    resultOf(call('ADD', stdin, containerId, netns));

  test('ADD records what it set up, DEL forgets it; the folder can be chosen', () => {
    const result = added(config());
    const [file = ''] = records();
    expect(file).toBe(`${result.interfaces[0].name}.json`);
    const { dev, ino } = statSync(pod.path);
    expect(JSON.parse(readFileSync(`${runDir}/recorded/${file}`, 'utf8'))).toEqual({
      version: 1,
      network: 'recorded',
      containerId: 'c1',
      ifname: 'eth0',
      netns: { path: pod.path, dev, ino },
      ips: ['10.99.0.2/28'],
      dataDir: `${folder}/leases`,
      ipMasq: true,
    });
    expect(statSync(`${runDir}/recorded/${file}`).mode & 0o7777).toBe(0o600);
    expect(existsSync('/run/plumb/recorded')).toBe(false);
    expectDone(call('DEL', config()));
    expect(records()).toEqual([]);
  });

  test.each(['lost', 'empty', 'cut off', 'of another version', 'a folder'])(
    'a record that is %s keeps nobody from CHECK, DEL or GC',
    (damage) => {
      // The ruleset's frame stays once it is there.
      added(config());
      expectDone(call('DEL', config()));
      const before = state();
      for (const verb of ['DEL', 'GC']) {
        const prevResult = added(config());
        const path = `${runDir}/recorded/${records()[0]}`;
        const text = readFileSync(path, 'utf8');
        rmSync(path);
        if (damage === 'empty') writeFileSync(path, '');
        else if (damage === 'cut off') writeFileSync(path, text.slice(0, 40));
        else if (damage === 'of another version')
          writeFileSync(path, text.replace('"version":1', '"version":2'));
        else if (damage === 'a folder') mkdirSync(path);
        expectDone(call('CHECK', config({ prevResult })));
        const end = call(verb, config(verb === 'GC' ? { 'cni.dev/valid-attachments': [] } : {}));
        if (damage === 'a folder') {
          // What cannot be removed is named; all else is gone.
          expect(JSON.parse(end.stdout).msg).toMatch(/^unlink .*\.json: EISDIR/);
          rmSync(path, { recursive: true });
        } else expectDone(end);
        expect(state()).toBe(before);
        expect(leases()).toEqual([]);
        expect(records()).toEqual([]);
      }
    },
  );

  test('DEL and GC find leases and rules of an ADD whose configuration was another one', () => {
    const other = config({ ipMasq: false }, { dataDir: `${folder}/other` });
    for (const verb of ['DEL', 'GC']) {
      added(config());
      expect(leases()).toHaveLength(1);
      expectDone(call(verb, verb === 'GC' ? { ...other, 'cni.dev/valid-attachments': [] } : other));
      expect(leases()).toEqual([]);
      expect(run('nft', 'list', 'set', 'inet', 'plumb', 'masq')).not.toContain('elements');
      expect(records()).toEqual([]);
    }
  });

  test('CHECK notices that another namespace is at the path by now, and DEL leaves that one alone', () => {
    const prevResult = added(config());
    const other = makeNetns();
    other.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'peer0');
    run('umount', '-l', pod.path);
    run('mount', '--bind', other.path, pod.path);
    const checked = call('CHECK', config({ prevResult }));
    expect(checked.status).not.toBe(0);
    expect(JSON.parse(checked.stdout)).toMatchObject({
      code: 102,
      msg: `network recorded: ${pod.path} is not the namespace that ADD configured`,
    });
    expectDone(call('DEL', config({ prevResult })));
    expect(other.ip('-o', 'link')).toContain('eth0');
    expect(leases()).toEqual([]);
    expect(run('ip', '-o', 'link')).not.toContain(prevResult.interfaces[0].name);
    other.remove();
  });

  test('STATUS is 51 when forwarding or the ruleset has been taken away from containers that are there', () => {
    expectDone(call('STATUS', config()));
    added(config());
    expectDone(call('STATUS', config()));
    const msg = (): unknown => {
      const { code, msg: text } = JSON.parse(call('STATUS', config()).stdout);
      expect(code).toBe(51);
      return text;
    };
    run('sysctl', '-qw', 'net.ipv4.ip_forward=0');
    expect(msg()).toBe('network recorded: the host does not forward IPv4');
    run('nft', 'flush', 'ruleset');
    expect(msg()).toBe(
      'network recorded: the host does not forward IPv4; masquerading is missing for c1 eth0',
    );
    expectDone(call('DEL', config()));
    expectDone(call('STATUS', config()));
    run('sysctl', '-qw', 'net.ipv4.ip_forward=1');
  });

  test('GC stays within its network and can be repeated', () => {
    const second = makeNetns();
    const neighbour = {
      ...config(),
      name: 'other',
      ipam: { type: 'host-local', dataDir: `${folder}/leases`, subnet: '10.98.0.0/28' },
    };
    added(config());
    const theirs = added(neighbour, 'c2', second.path);
    for (let i = 0; i < 2; i++) {
      expectDone(call('GC', config({ 'cni.dev/valid-attachments': [] })));
      expect(leases()).toEqual([]);
      expect(records()).toEqual([]);
      expectDone(call('CHECK', { ...neighbour, prevResult: theirs }, 'c2', second.path));
    }
    expectDone(call('DEL', neighbour, 'c2', second.path));
    second.remove();
  });

  test('B01, B04: the first ADD after a reboot gives up leases of before it, but none whose container lives', () => {
    const bootId = `${folder}/boot_id`;
    const uptime = `${folder}/uptime`;
    const second = makeNetns();
    const third = makeNetns();
    const lease = (address: string, owner: string): void =>
      writeFileSync(`${folder}/leases/recorded/${address}`, owner);
    added(config());
    lease('10.99.0.3', 'gone\r\neth0');
    lease('10.99.0.4', 'oldformat');
    lease('10.99.0.5', 'c2\r\neth0');
    // Records are in memory, and leave with the boot that they belong to.
    rmSync(runDir, { recursive: true });
    writeFileSync(bootId, '00000000-0000-4000-8000-000000000000\n');
    writeFileSync(uptime, '0.00 0.00\n');
    run('mount', '--bind', bootId, '/proc/sys/kernel/random/boot_id');
    run('mount', '--bind', uptime, '/proc/uptime');
    try {
      const { ips } = added(config({ args: { cni: { ips: ['10.99.0.5'] } } }), 'c2', second.path);
      expect(ips[0].address).toBe('10.99.0.5/28');
      expect(leases().sort()).toEqual(['10.99.0.2', '10.99.0.5']);
      // Once in a boot: what comes now is of this one, whatever its time says.
      lease('10.99.0.3', 'reference\r\neth0');
      rmSync(runDir, { recursive: true });
      added(config(), 'c3', third.path);
      expect(leases().sort()).toEqual(['10.99.0.2', '10.99.0.3', '10.99.0.5', '10.99.0.6']);
    } finally {
      run('umount', '/proc/uptime');
      run('umount', '/proc/sys/kernel/random/boot_id');
      for (const [id, netns] of [
        ['c1', pod],
        ['c2', second],
        ['c3', third],
      ] as const) {
        call('DEL', config(), id, netns.path);
      }
      second.remove();
      third.remove();
    }
  });

  test('after a reboot leases that are younger than it are kept', () => {
    const bootId = `${folder}/boot_id`;
    const second = makeNetns();
    added(config());
    writeFileSync(`${folder}/leases/recorded/10.99.0.3`, 'reference\r\neth0');
    rmSync(runDir, { recursive: true });
    writeFileSync(bootId, '00000000-0000-4000-8000-000000000000\n');
    run('mount', '--bind', bootId, '/proc/sys/kernel/random/boot_id');
    try {
      added(config(), 'c2', second.path);
      expect(leases().sort()).toEqual(['10.99.0.2', '10.99.0.3', '10.99.0.4']);
    } finally {
      run('umount', '/proc/sys/kernel/random/boot_id');
      call('DEL', config());
      call('DEL', config(), 'c2', second.path);
      second.remove();
    }
  });
});
