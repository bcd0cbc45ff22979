import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type Connection,
  connect,
  findRouteTo,
  getLinkIndex,
  isErrno,
  type RouteQuery,
  resolveRoute,
} from '../../src/netlink/index.ts';
import { makeNetns, type Netns, run } from '../support/netns.ts';

// Which route a packet takes: a router with two links, a (10.1.0.1/24, fd01::1/64, its default route) and c, behind which are
// 10.2.0.2 and fd02::2.

let host: Netns;
let conn: Connection;

beforeEach(() => {
  host = makeNetns();
  host.ip('link', 'set', 'lo', 'up');
  for (const [name, peer] of [
    ['a', 'b'],
    ['c', 'd'],
  ] as const) {
    host.ip('link', 'add', 'name', name, 'type', 'veth', 'peer', 'name', peer);
    for (const end of [name, peer]) host.ip('link', 'set', 'dev', end, 'up');
  }
  host.ip('addr', 'add', '10.1.0.1/24', 'dev', 'a');
  host.ip('addr', 'add', 'fd01::1/64', 'dev', 'a', 'nodad');
  host.ip('route', 'add', 'default', 'via', '10.1.0.9');
  host.ip('route', 'add', '10.2.0.2', 'dev', 'c');
  host.ip('-6', 'route', 'add', 'fd02::2', 'dev', 'c');
  host.ip('route', 'add', 'blackhole', '10.9.0.0/24');
  host.ip('route', 'add', 'prohibit', '10.8.0.0/24');
  host.ip('route', 'add', 'unreachable', '10.7.0.0/24');
  conn = connect({ netnsFd: host.fd });
});
afterEach(() => {
  conn.close();
  host.remove();
});

const sysctl = (setting: string): string => run('ip', 'netns', 'exec', host.name, 'sysctl', '-qw', setting);

/** Gateway, link, source and type of the route, or the errno. */
function routed(query: RouteQuery): unknown {
  try {
    const { gateway, ifindex, prefsrc, type } = resolveRoute(conn, query);
    return [gateway, ifindex, prefsrc, type];
  } catch (error) {
    for (const code of ['ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'EINVAL', 'EXDEV'])
      if (isErrno(error, code)) return code;
    throw error;
  }
}

test('resolveRoute: of a packet that the host sends', () => {
  const a = getLinkIndex(conn, 'a');
  expect(routed({ to: '10.1.0.5' })).toEqual([undefined, a, '10.1.0.1', 1]);
  expect(routed({ to: '192.0.2.1' })).toEqual(['10.1.0.9', a, '10.1.0.1', 1]);
  expect(routed({ to: 'fd01::5' })).toEqual([undefined, a, 'fd01::1', 1]);
  expect(routed({ to: '10.1.0.1' })).toEqual([undefined, 1, '10.1.0.1', 2]);
  expect(routed({ to: 'fd01::1' })).toEqual([undefined, 1, 'fd01::1', 2]);
  expect(routed({ to: '10.9.0.1' })).toBe('EINVAL');
  expect(routed({ to: '10.8.0.1' })).toBe('EACCES');
  expect(routed({ to: '10.7.0.1' })).toBe('EHOSTUNREACH');
  expect(routed({ to: 'fd03::1' })).toBe('ENETUNREACH');
});

test('resolveRoute: of a packet that comes in by a link', () => {
  const [a, iif] = [getLinkIndex(conn, 'a'), getLinkIndex(conn, 'c')];
  for (const link of ['all', 'c']) sysctl(`net.ipv4.conf.${link}.rp_filter=0`);
  sysctl('net.ipv4.ip_forward=0');
  expect(routed({ to: '192.0.2.1', from: '10.2.0.2', iif })).toBe('EHOSTUNREACH');
  expect(routed({ to: '10.1.0.1', from: '10.2.0.2', iif })).toEqual([undefined, 1, undefined, 2]);
  sysctl('net.ipv4.ip_forward=1');
  expect(routed({ to: '192.0.2.1', from: '10.2.0.2', iif })).toEqual(['10.1.0.9', a, undefined, 1]);
  expect(routed({ to: 'fd01::5', from: 'fd02::2', iif })).toEqual([undefined, a, undefined, 1]);
  // Its answer would go out by another link.
  expect(routed({ to: '192.0.2.1', from: '10.1.0.77', iif })).toEqual(['10.1.0.9', a, undefined, 1]);
  sysctl('net.ipv4.conf.c.rp_filter=1');
  expect(['EINVAL', 'EXDEV']).toContain(routed({ to: '192.0.2.1', from: '10.1.0.77', iif }));
});

test('findRouteTo tells the table that a rule leads to', () => {
  expect(findRouteTo(conn, '10.2.0.2')).toMatchObject({ table: 254, prefixLength: 32 });
  host.ip('route', 'add', '10.2.0.0/16', 'dev', 'a', 'table', '100');
  host.ip('rule', 'add', 'to', '10.2.0.2', 'lookup', '100', 'pref', '100');
  host.ip('-6', 'route', 'add', 'fd02::/64', 'dev', 'a', 'table', '1000');
  host.ip('-6', 'rule', 'add', 'to', 'fd02::2', 'lookup', '1000', 'pref', '100');
  expect(findRouteTo(conn, '10.2.0.2')).toMatchObject({ table: 100, prefixLength: 16 });
  expect(findRouteTo(conn, 'fd02::2')).toMatchObject({ table: 1000, prefixLength: 64 });
});
