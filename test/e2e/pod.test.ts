import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeNetns, type Netns, run } from '../support/netns.ts';
import { callPlugin, EXECUTABLES, executable, type Outcome } from '../support/plugin.ts';

let pod: Netns;
let dataDir: string;

beforeEach(() => {
  pod = makeNetns();
  dataDir = mkdtempSync('/run/leases-');
});
afterEach(() => {
  pod.remove();
  rmSync(dataDir, { recursive: true });
});

const config = (more: object = {}): Record<string, unknown> => ({
  cniVersion: '1.1.0',
  name: 'net',
  type: 'plumb',
  mtu: 1400,
  ipam: {
    type: 'host-local',
    dataDir,
    ranges: [[{ subnet: '10.99.0.0/29' }], [{ subnet: 'fd99::/64' }]],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
  },
  ...more,
});

const hostLinks = (): string[] =>
  JSON.parse(run('ip', '-j', 'link')).map((link: { ifname: string }) => link.ifname);
const leases = (): string[] => {
  try {
    return readdirSync(`${dataDir}/net`).filter(
      (name) => /[.:]\d*\w*$/.test(name) && !name.startsWith('last'),
    );
  } catch {
    return [];
  }
};
const error = (outcome: Outcome): { code: number; msg: string } => {
  expect(outcome.status).not.toBe(0);
  return JSON.parse(outcome.stdout);
};

describe.each(EXECUTABLES)('%s', (name) => {
  const call = (command: string, stdin: unknown, containerId = 'c1', netns = pod.path): Outcome =>
    callPlugin(name, { command, stdin, containerId, netns });

  test('ADD gives a dual-stack pod a network that works, CHECK agrees, DEL leaves nothing', () => {
    const links = hostLinks();
    const added = call('ADD', config());
    expect(added).toMatchObject({ status: 0, stderr: '' });
    const result = JSON.parse(added.stdout);
    expect(result).toMatchObject({
      cniVersion: '1.1.0',
      ips: [
        { address: '10.99.0.2/29', gateway: '10.99.0.1', interface: 1 },
        { address: 'fd99::2/64', gateway: 'fd99::1', interface: 1 },
      ],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
    });
    expect(result.interfaces[1]).toMatchObject({ name: 'eth0', sandbox: pod.path, mtu: 1400 });
    run('ping', '-c1', '-W2', '10.99.0.2');
    run('ping', '-c1', '-W2', 'fd99::2');
    run('ip', 'netns', 'exec', pod.name, 'ping', '-c1', '-W2', 'fd99::1');
    expect(pod.ip('addr', 'show', 'dev', 'eth0', 'scope', 'global')).not.toMatch(/tentative|dadfailed/);
    expect(readFileSync(`${dataDir}/net/10.99.0.2`, 'latin1')).toBe('c1\r\neth0');
    expect(call('CHECK', config({ prevResult: result }))).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(call('DEL', config({ prevResult: result }))).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(hostLinks()).toEqual(links);
    expect(leases()).toEqual([]);
    expect(call('DEL', config())).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  test('IPv6 is switched on for the two ends of a pair where new links have none, and nowhere else', () => {
    const inside = (...args: string[]): string => run('ip', 'netns', 'exec', pod.name, ...args);
    run('sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1');
    inside('sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1');
    try {
      const { interfaces } = JSON.parse(call('ADD', config()).stdout);
      inside('ping', '-c1', '-W2', 'fd99::1');
      expect(run('sysctl', '-n', `net.ipv6.conf.${interfaces[0].name}.disable_ipv6`)).toBe('0\n');
      expect(run('sysctl', '-n', 'net.ipv6.conf.default.disable_ipv6')).toBe('1\n');
      expect(call('DEL', config()).status).toBe(0);
    } finally {
      run('sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=0');
    }
  });

  test('CHECK names each single thing that is off', () => {
    const result = JSON.parse(call('ADD', config()).stdout);
    const [{ name: hostName }] = result.interfaces;
    const faults: readonly (readonly [() => unknown, RegExp])[] = [
      [() => pod.ip('route', 'del', 'default'), /route 0\.0\.0\.0\/0/],
      [() => run('ip', 'link', 'set', hostName, 'mtu', '1300'), /MTU 1300, not 1400/],
      [() => run('ip', 'route', 'del', '10.99.0.2'), /host route to 10\.99\.0\.2/],
      [() => rmSync(`${dataDir}/net/10.99.0.2`), /lease of 10\.99\.0\.2/],
      [() => pod.ip('addr', 'del', '10.99.0.2/29', 'dev', 'eth0'), /address 10\.99\.0\.2\/29/],
    ];
    const expected: RegExp[] = [];
    for (const [breakIt, message] of faults) {
      breakIt();
      expected.push(message);
      const { code, msg } = error(call('CHECK', config({ prevResult: result })));
      expect(code).toBe(102);
      for (const part of expected) expect(msg).toMatch(part);
    }
    expect(call('DEL', config()).status).toBe(0);
  });

  test('an ADD that fails leaves nothing and says what the kernel said', () => {
    const links = hostLinks();
    const bad = config({
      ipam: {
        type: 'host-local',
        dataDir,
        subnet: '10.99.0.0/29',
        routes: [{ dst: '192.0.2.0/24', gw: '203.0.113.1' }],
      },
    });
    const { code, msg } = error(call('ADD', bad));
    expect(code).toBe(102);
    expect(msg).toBe(
      'add route 192.0.2.0/24 via 203.0.113.1 dev eth0: RTM_NEWROUTE: ENETUNREACH (kernel: Nexthop has invalid gateway)',
    );
    expect(hostLinks()).toEqual(links);
    expect(pod.ip('-o', 'link')).not.toContain('eth0');
    expect(leases()).toEqual([]);
  });

  test('a CNI_NETNS that is no namespace, or is the host’s own, is refused before anything is done', () => {
    const fifo = `${dataDir}/fifo`;
    run('mkfifo', fifo);
    const refused: readonly (readonly [string, string])[] = [
      [`${dataDir}/none`, 'ENOENT'],
      [dataDir, 'is not a network namespace'],
      ['/dev/null', 'is not a network namespace'],
      [fifo, 'is not a network namespace'],
      ['/proc/self/ns/mnt', 'is not a network namespace'],
      ['/proc/self/ns/net', "is the host's own network namespace"],
    ];
    for (const [path, message] of refused) {
      const { code, msg } = error(call('ADD', config(), 'c1', path));
      expect({ code, msg }).toEqual({ code: 4, msg: expect.stringContaining(message) });
      expect(msg).toContain(path);
    }
    expect(readdirSync(dataDir)).toEqual(['fifo']);
  });

  test('B06 a second ADD is refused and disturbs nothing', () => {
    const result = JSON.parse(call('ADD', config()).stdout);
    expect(error(call('ADD', config())).code).toBe(100);
    expect(leases()).toHaveLength(2);
    expect(call('CHECK', config({ prevResult: result })).status).toBe(0);
    call('DEL', config());
    expect(leases()).toEqual([]);
  });

  test('B08 a range that is exhausted says so', () => {
    const small = config({ ipam: { type: 'host-local', dataDir, subnet: '10.99.0.0/30' } });
    expect(call('ADD', small).status).toBe(0);
    const other = makeNetns();
    const { msg } = error(call('ADD', small, 'c2', other.path));
    expect(msg).toMatch(/^no address available in 10\.99\.0\.1-10\.99\.0\.2: all are leased/);
    expect(call('DEL', small, 'c2', other.path).status).toBe(0);
    expect(call('DEL', small).status).toBe(0);
    expect(call('ADD', small, 'c2', other.path).status).toBe(0);
    expect(call('DEL', small, 'c2', other.path).status).toBe(0);
    other.remove();
  });

  test('DEL needs no nfnetlink from a kernel that has none', () => {
    const plain = config({ ipMasq: true });
    call('ADD', plain);
    const inject = ['-e', 'trace=socket', '-e', 'inject=socket:error=EPROTONOSUPPORT:when=1'];
    const trace = `${dataDir}/trace`;
    // The first socket of a DEL is the one to nfnetlink.
    const { status, stdout } = spawnSync('strace', ['-f', '-o', trace, ...inject, executable(name)], {
      encoding: 'utf8',
      env: {
        CNI_COMMAND: 'DEL',
        CNI_CONTAINERID: 'c1',
        CNI_NETNS: pod.path,
        CNI_IFNAME: 'eth0',
        CNI_PATH: '/',
      },
      input: JSON.stringify(plain),
    });
    expect(readFileSync(trace, 'utf8')).toMatch(/NETLINK_NETFILTER\) = -1 EPROTONOSUPPORT/);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(leases()).toEqual([]);
  });
});
