import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import * as nl from '../../src/netlink/index.ts';
import { decodeRoute } from '../../src/netlink/message/route.ts';
import { isNetns } from '../../src/sys/netns.ts';
import { makeNetns, type Netns, run } from '../support/netns.ts';

let host: Netns;
let other: Netns;
const children: ChildProcess[] = [];

beforeEach(() => {
  host = makeNetns();
  other = makeNetns();
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  host.remove();
  other.remove();
});

function caught(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

/** A process that lives in `netns`. */
async function processIn(netns: Netns): Promise<number> {
  const child = spawn('ip', ['netns', 'exec', netns.name, 'sleep', '60']);
  children.push(child);
  const pid = child.pid;
  if (pid === undefined) throw new Error('no process');
  const inode = statSync(netns.path).ino;
  for (let i = 0; i < 200; i++) {
    if (statSync(`/proc/${pid}/ns/net`).ino === inode) return pid;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('the process did not enter the namespace');
}

const names = (netns: Netns): string[] =>
  netns.inside(() => nl.listAllLinks().map((link) => link.name)).sort();

describe('createVethPair', () => {
  test('makes both ends in the current namespace', () => {
    host.inside(() => nl.createVethPair('a0', 'b0'));
    expect(names(host)).toEqual(['a0', 'b0', 'lo']);
  });
  test('a name that is taken is EEXIST, a bad name is not', () => {
    host.inside(() => nl.createVethPair('a0', 'b0'));
    expect(
      nl.isErrno(
        caught(() => host.inside(() => nl.createVethPair('a0', 'c0'))),
        'EEXIST',
      ),
    ).toBe(true);
    const bad = caught(() => host.inside(() => nl.createVethPair('a/b', 'c0')));
    expect(bad).toBeInstanceOf(nl.NetlinkError);
    expect(nl.isErrno(bad, 'EEXIST')).toBe(false);
    expect(names(host)).toEqual(['a0', 'b0', 'lo']);
  });
  test('places each end in its namespace with name, MAC and MTU in one request', () => {
    host.inside(() =>
      nl.createVethPair(
        { name: 'h0', mac: '02:00:00:00:00:01', mtu: 1400 },
        { name: 'eth0', netnsFd: other.fd, mac: '02:00:00:00:00:02', mtu: 1400 },
      ),
    );
    expect(names(host)).toEqual(['h0', 'lo']);
    const [link] = JSON.parse(other.ip('-j', 'link', 'show', 'dev', 'eth0'));
    expect([link.mtu, link.address]).toEqual([1400, '02:00:00:00:00:02']);
  });
});

describe('moving and renaming', () => {
  test('sets the first end up in the same request', () => {
    host.inside(() => nl.createVethPair({ name: 'a0', up: true }, { name: 'eth0', netnsFd: other.fd }));
    expect(host.inside(() => nl.listAllLinks()).find(({ name }) => name === 'a0')?.up).toBe(true);
    expect(other.inside(() => nl.listAllLinks()).find(({ name }) => name === 'eth0')?.up).toBe(false);
  });
  test('moveLinkIntoNetnsFdAndRename moves, renames, and leaves the fd open', () => {
    host.inside(() => {
      nl.createVethPair('a0', 'b0');
      nl.moveLinkIntoNetnsFdAndRename('b0', other.fd, 'eth0');
    });
    expect(names(host)).toEqual(['a0', 'lo']);
    expect(names(other)).toEqual(['eth0', 'lo']);
    expect(isNetns(other.fd)).toBe(true);
  });
  test('a name that is taken in the target leaves the link where it was', () => {
    other.inside(() => nl.createVethPair('eth0', 'x0'));
    const error = caught(() =>
      host.inside(() => {
        nl.createVethPair('a0', 'b0');
        nl.moveLinkIntoNetnsFdAndRename('b0', other.fd, 'eth0');
      }),
    );
    expect(nl.isErrno(error, 'EEXIST')).toBe(true);
    expect(names(host)).toEqual(['a0', 'b0', 'lo']);
  });
  test('a missing link is not-found', () => {
    expect(
      caught(() => host.inside(() => nl.moveLinkIntoNetnsFdAndRename('no0', other.fd, 'eth0'))),
    ).toMatchObject({
      kind: 'not-found',
    });
  });
  test('moveLinkIntoNetnsAndRename takes a process; a process that is gone is an io error with path and errno', async () => {
    const pid = await processIn(other);
    host.inside(() => {
      nl.createVethPair('a0', 'b0');
      nl.moveLinkIntoNetnsAndRename('b0', pid, 'eth0');
    });
    expect(names(other)).toEqual(['eth0', 'lo']);
    expect(
      caught(() => host.inside(() => nl.moveLinkIntoNetnsAndRename('a0', 999_999_999, 'eth1'))),
    ).toMatchObject({
      kind: 'io',
      code: 'ENOENT',
      object: '/proc/999999999/ns/net',
    });
  });
});

describe('links, addresses, routes by name', () => {
  test('deleteLinkByName: absence is success, a refusal is not', () => {
    host.inside(() => nl.createVethPair('a0', 'b0'));
    host.inside(() => nl.deleteLinkByName('a0'));
    host.inside(() => nl.deleteLinkByName('a0'));
    expect(names(host)).toEqual(['lo']);
    expect(caught(() => host.inside(() => nl.deleteLinkByName('lo')))).toBeInstanceOf(nl.NetlinkError);
  });
  test('setLinkUpByName: up, and not-found for absence', () => {
    host.inside(() => {
      nl.createVethPair('a0', 'b0');
      nl.setLinkUpByName('a0');
    });
    expect(host.ip('link', 'show', 'dev', 'a0')).toContain('UP');
    expect(caught(() => host.inside(() => nl.setLinkUpByName('no0')))).toMatchObject({ kind: 'not-found' });
  });
  test('addAddressToLinkByName: both families, duplicate is EEXIST', () => {
    host.inside(() => {
      nl.createVethPair('a0', 'b0');
      nl.addAddressToLinkByName('a0', '10.1.0.2', 24);
      nl.addAddressToLinkByName('a0', 'fd00::2', 64);
    });
    const shown = host.ip('addr', 'show', 'dev', 'a0');
    expect(shown).toContain('10.1.0.2/24');
    expect(shown).toContain('fd00::2/64');
    for (const [address, length] of [['10.1.0.2', 24] as const, ['fd00::2', 64] as const]) {
      const error = caught(() => host.inside(() => nl.addAddressToLinkByName('a0', address, length)));
      expect(nl.isErrno(error, 'EEXIST')).toBe(true);
      expect(String(error)).toMatch(/add address .* RTM_NEWADDR: EEXIST \(kernel: /);
    }
  });
  test('addDefaultRouteViaDev: link scope, no gateway', () => {
    host.inside(() => {
      nl.createVethPair('a0', 'b0');
      nl.setLinkUpByName('a0');
      nl.setLinkUpByName('b0');
      nl.addDefaultRouteViaDev('a0', false);
      nl.addDefaultRouteViaDev('a0', true);
    });
    expect(host.ip('route')).toContain('default dev a0 scope link');
    expect(host.ip('-6', 'route')).toMatch(/default dev a0/);
  });
  test('replaceRouteViaDev replaces, sets the preferred source, and refuses mixed families unasked', () => {
    host.inside(() => {
      nl.createVethPair('a0', 'b0');
      nl.addAddressToLinkByName('a0', '10.1.0.2', 32);
      nl.setLinkUpByName('a0');
      nl.setLinkUpByName('b0');
      nl.replaceRouteViaDev('10.9.0.0', 16, 'b0');
      nl.replaceRouteViaDev('10.9.0.0', 16, 'a0', '10.1.0.2');
    });
    expect(host.ip('route', 'show', '10.9.0.0/16').trim()).toBe('10.9.0.0/16 dev a0 scope link src 10.1.0.2');
    expect(caught(() => nl.replaceRouteViaDev('10.9.0.0', 16, 'no-such-link', 'fd00::1'))).toMatchObject({
      kind: 'config',
      path: 'src',
    });
  });
});

describe('setSysctl', () => {
  test('interface names with dots, in every spelling; only a difference is written', () => {
    host.inside(() => {
      nl.createVethPair('eth0.100', 'b0');
      expect(nl.setSysctl('net.ipv4.conf.eth0/100.forwarding', '1')).toBe('0');
      expect(nl.getSysctl('net/ipv4/conf/eth0.100/forwarding')).toBe('1');
      expect(nl.setSysctl('net.ipv4.conf.eth0.100.forwarding', '1')).toBe('1');
    });
  });
  test('a key that does not exist is an io error with the path', () => {
    expect(caught(() => nl.setSysctl('net.ipv4.no_such', '1'))).toMatchObject({
      kind: 'io',
      code: 'ENOENT',
      object: '/proc/sys/net/ipv4/no_such',
    });
  });
});

describe('namespaces', () => {
  const own = (): number => statSync('/proc/thread-self/ns/net').ino;
  test('withNetnsFd comes back, with the result or the unchanged error', () => {
    const before = own();
    expect(nl.withNetnsFd(other.fd, own)).toBe(statSync(other.path).ino);
    const mine = new Error('mine');
    expect(
      caught(() =>
        nl.withNetnsFd(other.fd, () => {
          throw mine;
        }),
      ),
    ).toBe(mine);
    expect(own()).toBe(before);
  });
  test('withNetnsFd refuses a promise', () => {
    expect(() => nl.withNetnsFd(other.fd, async () => 1)).toThrow(TypeError);
  });
  test('if coming back fails the process ends, though it cannot even say so', () => {
    const script = `import { openSync } from 'node:fs';
      import { withNetnsFd } from '${new URL('../../src/sys/netns.ts', import.meta.url).pathname}';
      try { withNetnsFd(openSync('${other.path}'), () => 1); } finally { console.log('goes on'); }`;
    const { status, stdout } = spawnSync('strace', [
      ...['-f', '-o', '/dev/null', '-e', 'trace=setns', '-e', 'inject=setns:error=ENOMEM:when=2'],
      ...['sh', '-c', 'exec "$@" 2>/dev/full', 'sh', process.execPath, '--input-type=module', '-e', script],
    ]);
    expect({ status, stdout: String(stdout) }).toEqual({ status: 134, stdout: '' });
  });
  test('withNetns enters the namespace of a process', async () => {
    expect(nl.withNetns(await processIn(other), own)).toBe(statSync(other.path).ino);
  });
  test('withNetnsFdAsync: concurrent callers each work in their own namespace, and others stay at home', async () => {
    const home = own();
    const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
    const pid = await processIn(other);
    const work = (prefix: string) => async (conn: nl.Connection) => {
      for (let i = 0; i < 5; i++) {
        nl.createVeth(conn, { name: `${prefix}${i}` }, { name: `${prefix}p${i}` });
        await pause();
        expect(own()).toBe(home);
      }
    };
    await Promise.all([nl.withNetnsFdAsync(host.fd, work('h')), nl.withNetnsAsync(pid, work('o'))]);
    expect(names(host).filter((name) => name !== 'lo')).toHaveLength(10);
    expect(names(host).every((name) => name === 'lo' || name.startsWith('h'))).toBe(true);
    expect(names(other).every((name) => name === 'lo' || name.startsWith('o'))).toBe(true);
  });
});

test('sweepOrphanLinks removes links of processes that are gone, and no others', () => {
  const left = host.inside(() => {
    for (const name of [
      'veth-999999999',
      'vc-99999998',
      `veth-${process.pid}`,
      'veth-12a',
      'veth-0',
      'xveth-99999997',
    ]) {
      nl.createVethPair(name, `p${nl.listAllLinks().length}`);
    }
    return nl.sweepOrphanLinks().sort();
  });
  expect(left).toEqual(['vc-99999998', 'veth-999999999']);
  expect(names(host)).toEqual(
    expect.arrayContaining([`veth-${process.pid}`, 'veth-12a', 'veth-0', 'xveth-99999997']),
  );
});

describe('beneath the helpers', () => {
  test('links: MTU, MAC, group, master, one by index, several by group', () => {
    const conn = nl.connect({ netnsFd: host.fd });
    nl.createBridge(conn, 'br0');
    nl.createVeth(conn, { name: 'a0', group: 77 }, { name: 'b0', group: 77 });
    nl.setLink(conn, 'a0', {
      mtu: 1300,
      mac: '02:00:00:00:00:09',
      masterIndex: nl.getLink(conn, 'br0').index,
    });
    const a0 = nl.getLink(conn, 'a0');
    expect(a0).toMatchObject({ mtu: 1300, mac: '02:00:00:00:00:09', kind: 'veth', group: 77 });
    expect(a0.masterIndex).toBe(nl.getLink(conn, 'br0').index);
    expect(nl.getLink(conn, a0.index).name).toBe('a0');
    expect(nl.findLink(conn, 'nope')).toBeUndefined();
    nl.deleteLinksByGroup(conn, 77);
    expect(names(host)).toEqual(['br0', 'lo']);
    conn.close();
  });
  test('routes: table, priority, MTU, advmss, gateway, onlink', () => {
    const conn = nl.connect({ netnsFd: host.fd });
    nl.createVeth(conn, { name: 'a0' }, { name: 'b0' });
    nl.setLink(conn, 'a0', { up: true });
    nl.setLink(conn, 'b0', { up: true });
    // Without any address there is no local table, and then the kernel takes no gateway for unicast.
    nl.setLink(conn, 'lo', { up: true });
    const ifindex = nl.getLink(conn, 'a0').index;
    const spec = { dst: '10.9.0.0', prefixLength: 16, ifindex, gateway: '10.8.0.1', onlink: true };
    const full = { ...spec, table: 1000, priority: 7, mtu: 1300, advmss: 1200 };
    nl.addRoute(conn, full);
    expect(host.ip('route', 'show', 'table', '1000').trim()).toMatch(
      /^10\.9\.0\.0\/16 via 10\.8\.0\.1 dev a0 metric 7 onlink mtu 1300 advmss 1200$/,
    );
    expect(nl.listRoutes(conn, { table: 1000 })).toMatchObject([
      {
        dst: '10.9.0.0',
        prefixLength: 16,
        gateway: '10.8.0.1',
        ifindex,
        priority: 7,
        mtu: 1300,
        advmss: 1200,
      },
    ]);
    nl.deleteRoute(conn, full);
    nl.deleteRoute(conn, full);
    expect(nl.listRoutes(conn, { table: 1000 })).toEqual([]);
    expect(caught(() => nl.addRoute(conn, { ...spec, onlink: false }))).toMatchObject({
      code: 'ENETUNREACH',
      extendedAck: { message: 'Nexthop has invalid gateway' },
    });
    conn.close();
  });
  test('routes of one link do not cost what all others do', () => {
    const conn = nl.connect({ netnsFd: host.fd });
    for (const name of ['a', 'b']) {
      nl.createVeth(conn, { name: `${name}0` }, { name: `${name}1` });
      nl.setLink(conn, `${name}0`, { up: true });
      const ifindex = nl.getLinkIndex(conn, `${name}0`);
      for (const dst of ['10.8.0.0', 'fd08::']) {
        const prefixLength = dst === '10.8.0.0' ? 24 : 64;
        nl.addRoute(conn, { dst, prefixLength, ifindex, priority: ifindex, table: 1000 });
      }
    }
    const dump = vi.spyOn(conn, 'dump');
    const ifindex = nl.getLinkIndex(conn, 'b0');
    const routes = nl.listRoutes(conn, { ifindex, table: 1000 });
    expect(routes.map(({ dst, ifindex: dev }) => [dst, dev])).toEqual([
      ['10.8.0.0', ifindex],
      ['fd08::', ifindex],
    ]);
    const sent = dump.mock.results.flatMap(({ value }) => value);
    expect(sent.length).toBeLessThan(nl.listRoutes(conn).length);
    expect(sent.map((payload) => decodeRoute(payload).ifindex)).toEqual(sent.map(() => ifindex));
    expect(nl.listRoutes(conn, { ifindex: 999_999 })).toEqual([]);
    expect(nl.listRoutes(conn, { family: 4, table: 1000 }).map(({ dst }) => dst)).toEqual([
      '10.8.0.0',
      '10.8.0.0',
    ]);
    conn.close();
  });
  test('neighbours: replace, list, delete', () => {
    const conn = nl.connect({ netnsFd: host.fd });
    nl.createVeth(conn, { name: 'a0' }, { name: 'b0' });
    nl.setLink(conn, 'a0', { up: true });
    const ifindex = nl.getLink(conn, 'a0').index;
    nl.replaceNeighbour(conn, ifindex, '10.1.0.9', '02:00:00:00:00:09');
    expect(nl.listNeighbours(conn, ifindex)).toMatchObject([
      { address: '10.1.0.9', mac: '02:00:00:00:00:09' },
    ]);
    nl.deleteNeighbour(conn, ifindex, '10.1.0.9');
    nl.deleteNeighbour(conn, ifindex, '10.1.0.9');
    expect(nl.listNeighbours(conn, ifindex)).toEqual([]);
    conn.close();
  });
  test('a batch answers for each message, and goes on after an error', () => {
    const conn = nl.connect({ netnsFd: host.fd });
    const outcomes = conn.batch([
      nl.vethRequest({ name: 'a0' }, { name: 'b0' }),
      nl.vethRequest({ name: 'a0' }, { name: 'c0' }),
      nl.vethRequest({ name: 'd0' }, { name: 'e0' }),
    ]);
    expect(outcomes.map((outcome) => outcome?.code)).toEqual([undefined, 'EEXIST', undefined]);
    expect(names(host)).toEqual(['a0', 'b0', 'd0', 'e0', 'lo']);
    conn.close();
  });
  test('listAllLinks is complete while links come and go', async () => {
    const stay = Array.from({ length: 150 }, (_, i) => `stay${i}`);
    for (let i = 0; i < stay.length; i += 2) nl.createVethPair(stay[i] ?? '', stay[i + 1] ?? '');
    const churn = spawn('sh', [
      '-c',
      'echo; while :; do ip link add come0 type veth peer name come1; ip link del come0; done',
    ]);
    try {
      await once(churn.stdout, 'data');
      for (let i = 0; i < 200; i++) {
        const names = new Set(nl.listAllLinks().map((link) => link.name));
        expect(stay.filter((name) => !names.has(name))).toEqual([]);
      }
    } finally {
      churn.kill('SIGKILL');
      await once(churn, 'close');
      for (let i = 0; i < stay.length; i += 2) nl.deleteLinkByName(stay[i] ?? '');
      nl.deleteLinkByName('come0');
    }
  });

  test('ten thousand operations leak no descriptor and no memory', () => {
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    host.inside(() => nl.createVethPair('a0', 'b0'));
    const round = (times: number): void => {
      for (let i = 0; i < times; i++) host.inside(() => nl.setLinkUpByName('a0'));
    };
    const resident = (): number =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
    round(2_000);
    const before = { fds: descriptors(), kib: resident() };
    round(10_000);
    expect(descriptors()).toBe(before.fds);
    expect(resident() - before.kib).toBeLessThan(64 * 1024);
  });
});

test('elsewhere than Linux importing works and calls say so', () => {
  const script = `Object.defineProperty(process, 'platform', { value: 'darwin' });
    const nl = await import('${new URL('../../src/netlink/index.ts', import.meta.url).pathname}');
    try { nl.listAllLinks(); } catch (error) { console.log(error.kind + ': ' + error.message); }`;
  expect(run(process.execPath, '--input-type=module', '-e', script).trim()).toBe(
    'unsupported: netlink is only supported on Linux',
  );
});
