import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeResult } from '../../src/cni/result.ts';
import { atLeast, SUPPORTED_VERSIONS } from '../../src/cni/versions.ts';
import { makeNetns, type Netns, run } from '../support/netns.ts';
import { type Call, callPlugin, executable, INSTALLED, type Outcome } from '../support/plugin.ts';

let pod: Netns;
let bin: string;

beforeEach(() => {
  pod = makeNetns();
  bin = mkdtempSync('/run/bin-');
});
afterEach(() => {
  pod.remove();
  rmSync(bin, { recursive: true });
});

const config = (more: object = {}): object => ({
  cniVersion: '1.1.0',
  name: 'cni-loopback',
  type: 'loopback',
  ...more,
});
const isUp = (): boolean => / UNKNOWN /.test(pod.ip('-br', 'link', 'show', 'dev', 'lo'));
const SUCCESS: Outcome = { status: 0, stdout: '', stderr: '' };

const CALLED = [
  ['by its name', true],
  ['by its type', false],
] as const;

describe.each(INSTALLED)('%s as loopback', (name) => {
  describe.each(CALLED)('%s', (_, byName) => {
    const call = (command: string, more: Partial<Call> = {}): Outcome => {
      let program: string = name;
      if (byName) {
        program = `${bin}/loopback`;
        rmSync(program, { force: true });
        symlinkSync(executable(name), program);
      }
      return callPlugin(program, { command, netns: pod.path, ifname: 'lo', stdin: config(), ...more });
    };

    test.each(SUPPORTED_VERSIONS)(
      'B53: ADD gives a valid result in version %s and lo comes up',
      (version) => {
        const { status, stdout, stderr } = call('ADD', { stdin: config({ cniVersion: version }) });
        expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
        const printed: Record<string, unknown> = JSON.parse(stdout);
        expect(printed['cniVersion']).toBe(version);
        const { interfaces, ips } = decodeResult(printed, version);
        expect(ips.map(({ address }) => address)).toEqual(['127.0.0.1/8', '::1/128']);
        if (atLeast(version, '0.3.0')) {
          expect(interfaces).toEqual([
            {
              name: 'lo',
              mac: '00:00:00:00:00:00',
              sandbox: pod.path,
              ...(version === '1.1.0' ? { mtu: 65536 } : {}),
            },
          ]);
          expect(ips.map((ip) => ip.interface)).toEqual([0, 0]);
        }
        expect(isUp()).toBe(true);
        expect(pod.ip('-4', '-o', 'addr', 'show', 'dev', 'lo')).toContain('inet 127.0.0.1/8 ');
        run('ip', 'netns', 'exec', pod.name, 'ping', '-c1', '-W2', '127.0.0.1');
      },
    );

    test('B53: without IPv6 there is no ::1', () => {
      run(
        ...['ip', 'netns', 'exec', pod.name, 'sh', '-c'],
        'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6',
      );
      const { status, stdout } = call('ADD');
      expect(status).toBe(0);
      expect(JSON.parse(stdout).ips).toEqual([{ address: '127.0.0.1/8', interface: 0 }]);
    });

    test('B53: a prevResult is passed through, and lo comes up all the same', () => {
      const prevResult = {
        cniVersion: '1.1.0',
        interfaces: [{ name: 'eth0', mac: '02:00:00:00:00:01', mtu: 1400, sandbox: pod.path }],
        ips: [{ address: '10.9.0.2/24', gateway: '10.9.0.1', interface: 0 }],
        routes: [{ dst: '0.0.0.0/0', mtu: 1300 }],
        dns: { nameservers: ['10.9.0.1'] },
      };
      const { status, stdout } = call('ADD', { stdin: config({ prevResult }) });
      expect(status).toBe(0);
      expect(JSON.parse(stdout)).toEqual(prevResult);
      expect(isUp()).toBe(true);
    });

    test('B53: CNI_IFNAME=eth0 is ignored, lo is meant', () => {
      const { status, stdout } = call('ADD', { ifname: 'eth0' });
      expect(status).toBe(0);
      expect(JSON.parse(stdout).interfaces[0].name).toBe('lo');
      expect(isUp()).toBe(true);
      expect(call('CHECK', { ifname: 'eth0' })).toEqual(SUCCESS);
    });

    test('an lo that is up already, with other addresses, keeps them and gets its own back', () => {
      pod.ip('link', 'set', 'lo', 'up');
      pod.ip('addr', 'add', '192.0.2.1/32', 'dev', 'lo');
      pod.ip('addr', 'del', '127.0.0.1/8', 'dev', 'lo');
      expect(JSON.parse(call('ADD').stdout).ips[0].address).toBe('127.0.0.1/8');
      expect(pod.ip('-4', '-o', 'addr', 'show', 'dev', 'lo')).toMatch(
        /192\.0\.2\.1\/32[\s\S]*127\.0\.0\.1\/8/,
      );
      expect(call('ADD').status).toBe(0);
    });

    test('B54: CHECK passes after ADD, and fails when lo is down or has lost its address', () => {
      expect(call('ADD').status).toBe(0);
      expect(call('CHECK')).toEqual(SUCCESS);
      pod.ip('addr', 'del', '127.0.0.1/8', 'dev', 'lo');
      const lost = call('CHECK');
      expect(lost.status).toBe(1);
      expect(JSON.parse(lost.stdout)).toMatchObject({
        code: 102,
        msg: `${pod.path}: address 127.0.0.1 is missing on lo`,
      });
      pod.ip('link', 'set', 'lo', 'down');
      const down = call('CHECK');
      expect(down.status).toBe(1);
      expect(JSON.parse(down.stdout)).toEqual({
        cniVersion: '1.1.0',
        code: 102,
        msg: `${pod.path}: interface lo is down`,
      });
    });

    test('B54: DEL is answered, with lo, twice, without namespace, without anything; GC and STATUS succeed', () => {
      expect(call('ADD').status).toBe(0);
      expect(call('DEL')).toEqual(SUCCESS);
      // The path may be another container's by now.
      expect(isUp()).toBe(true);
      expect(call('DEL')).toEqual(SUCCESS);
      for (const netns of ['', '/run/netns/gone', '/etc/hostname']) {
        expect(call('DEL', { netns }), netns).toEqual(SUCCESS);
      }
      expect(call('GC')).toEqual(SUCCESS);
      expect(call('STATUS')).toEqual(SUCCESS);
    });

    test("the host's own lo is never touched", () => {
      const before = run('ip', '-o', 'addr', 'show', 'dev', 'lo');
      const netns = '/proc/self/ns/net';
      expect(JSON.parse(call('ADD', { netns }).stdout)).toMatchObject({ code: 4 });
      expect(JSON.parse(call('CHECK', { netns }).stdout)).toMatchObject({ code: 4 });
      expect(call('DEL', { netns })).toEqual(SUCCESS);
      expect(run('ip', '-o', 'addr', 'show', 'dev', 'lo')).toBe(before);
      expect(before).toContain('127.0.0.1/8');
    });

    test('a namespace that is none is code 4, a command newer than the version code 1, VERSION is answered', () => {
      expect(JSON.parse(call('ADD', { netns: '/run/netns/gone' }).stdout)).toMatchObject({ code: 4 });
      expect(JSON.parse(call('CHECK', { stdin: config({ cniVersion: '0.3.1' }) }).stdout).code).toBe(1);
      expect(JSON.parse(call('STATUS', { stdin: config({ cniVersion: '1.0.0' }) }).stdout).code).toBe(1);
      expect(JSON.parse(call('VERSION').stdout).supportedVersions).toEqual(SUPPORTED_VERSIONS);
    });

    test('nothing is written for it', () => {
      const files = (): readonly string[] => readdirSync('/run').filter((file) => file !== 'plumb');
      const before = files();
      expect(call('ADD').status).toBe(0);
      expect(files()).toEqual(before);
      expect(existsSync('/run/plumb/cni-loopback')).toBe(false);
    });
  });

  test('lo stays refused to every other type', () => {
    const stdin = { cniVersion: '1.1.0', name: 'net', type: 'plumb', ipam: {} };
    const { status, stdout } = callPlugin(name, { command: 'ADD', netns: pod.path, ifname: 'lo', stdin });
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ code: 4, msg: expect.stringMatching(/CNI_IFNAME is "lo"/) });
  });
});
