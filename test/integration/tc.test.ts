import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as nl from '../../src/netlink/index.ts';
import { makeNetns, type Netns, run } from '../support/netns.ts';

let host: Netns;
let conn: nl.Connection;

beforeEach(() => {
  host = makeNetns();
  conn = nl.connect({ netnsFd: host.fd });
});
afterEach(() => {
  conn.close();
  host.remove();
});

const tc = (...args: string[]): string => host.inside(() => run('tc', ...args));
const names = (): string[] =>
  nl
    .listLinks(conn)
    .map((link) => link.name)
    .sort();

describe('createIfb', () => {
  test('makes it with MAC, MTU and queue length, and returns its index', () => {
    const mac = '0a:00:00:00:00:01';
    const index = nl.createIfb(conn, { name: 'i0', mac, mtu: 1400, txQueueLength: 77, up: true });
    expect(nl.getLink(conn, index)).toMatchObject({ name: 'i0', kind: 'ifb', mac, mtu: 1400, up: true });
    expect(JSON.parse(host.ip('-j', 'link', 'show', 'dev', 'i0'))[0]).toMatchObject({ txqlen: 77 });
  });
  test('a name that is taken is EEXIST', () => {
    nl.createIfb(conn, { name: 'i0' });
    expect(() => nl.createIfb(conn, { name: 'i0' })).toThrow('create ifb i0: RTM_NEWLINK: EEXIST');
  });
});

describe('qdiscs', () => {
  const tbf = { kind: 'tbf', rate: 12_500_000, burst: 250_000, limit: 500_000 } as const;
  let ifindex: number;
  beforeEach(() => {
    ifindex = nl.createIfb(conn, { name: 'i0', up: true });
  });

  test('tbf: add, replace, find, delete', () => {
    expect(nl.findQdisc(conn, ifindex, nl.TC_H_ROOT)).toBeUndefined();
    nl.addQdisc(conn, { ifindex }, tbf);
    expect(nl.findQdisc(conn, ifindex, nl.TC_H_ROOT)).toEqual({
      ifindex,
      handle: nl.tcHandle(1, 0),
      parent: nl.TC_H_ROOT,
      kind: 'tbf',
      rate: 12_500_000,
      ticks: nl.bucketTicks(tbf),
      limit: 500_000,
    });
    expect(tc('qdisc', 'show', 'dev', 'i0')).toContain(
      'tbf 1: root refcnt 2 rate 100Mbit burst 250000b lat 20ms',
    );
    expect(() => nl.addQdisc(conn, { ifindex }, tbf)).toThrow(/EEXIST/);
    nl.replaceQdisc(conn, { ifindex }, { ...tbf, rate: 25_000_000 });
    expect(nl.findQdisc(conn, ifindex, nl.TC_H_ROOT)?.rate).toBe(25_000_000);
    nl.deleteQdisc(conn, ifindex, nl.TC_H_ROOT);
    nl.deleteQdisc(conn, ifindex, nl.TC_H_ROOT);
    expect(nl.findQdisc(conn, ifindex, nl.TC_H_ROOT)).toBeUndefined();
  });

  test.each([2 ** 32 - 1, 2 ** 32, 12_500_000_000])('a rate of %d bytes per second', (rate) => {
    const burst = 4_294_967_295;
    nl.addQdisc(conn, { ifindex }, { ...tbf, rate, burst, limit: burst });
    const found = nl.findQdisc(conn, ifindex, nl.TC_H_ROOT);
    expect(found).toMatchObject({ rate, limit: burst });
    expect(Math.abs((found?.ticks ?? 0) - nl.bucketTicks({ rate, burst }))).toBeLessThan(3);
  });

  test('ingress and clsact: one of them, found and deleted at the same place', () => {
    nl.addQdisc(conn, { ifindex }, { kind: 'clsact' });
    expect(() => nl.addQdisc(conn, { ifindex }, { kind: 'ingress' })).toThrow(/EEXIST/);
    expect(nl.listQdiscs(conn, ifindex).map(({ kind }) => kind)).toContain('clsact');
    nl.deleteQdisc(conn, ifindex, nl.TC_H_INGRESS);
    nl.deleteQdisc(conn, ifindex, nl.TC_H_INGRESS);
    nl.addQdisc(conn, { ifindex }, { kind: 'ingress' });
    expect(nl.findQdisc(conn, ifindex, nl.TC_H_INGRESS)?.kind).toBe('ingress');
  });

  test('htb, a class, filters: as tc shows them, and back', () => {
    const parent = nl.tcHandle(1, 0);
    nl.addQdisc(conn, { ifindex }, { kind: 'htb', defaultClass: 0x30 });
    expect(nl.findQdisc(conn, ifindex, nl.TC_H_ROOT)).toMatchObject({ kind: 'htb', defaultClass: 0x30 });
    const classid = nl.tcHandle(1, 0x30);
    nl.addClass(conn, { ifindex, parent, classid, rate: 12_500_000_000, burst: 4_000_000 });
    expect(nl.listClasses(conn, ifindex)).toEqual([
      { ifindex, parent: nl.TC_H_ROOT, classid, kind: 'htb', rate: 12_500_000_000, ticks: 5000 },
    ]);
    expect(tc('class', 'show', 'dev', 'i0')).toContain('rate 100Gbit ceil 100Gbit burst 4000000b');
    const filter = {
      ifindex,
      parent,
      priority: 16,
      protocol: nl.ETH_P_IP,
      keys: [{ mask: 0xffffff00, value: 0xc6336400, offset: 16 }],
      classid: parent,
    };
    nl.addFilter(conn, filter);
    expect(nl.listFilters(conn, ifindex, parent)).toEqual([{ ...filter, kind: 'u32', handle: 0x80000800 }]);
    expect(tc('filter', 'show', 'dev', 'i0', 'parent', '1:')).toContain('match c6336400/ffffff00 at 16');
    nl.deleteFilters(conn, filter);
    nl.deleteFilters(conn, filter);
    expect(nl.listFilters(conn, ifindex, parent)).toEqual([]);
  });

  test('a filter that redirects', () => {
    nl.createVeth(conn, { name: 'a0' }, { name: 'b0' });
    const from = nl.getLinkIndex(conn, 'a0');
    expect(nl.listFilters(conn, from, nl.CLSACT_INGRESS)).toEqual([]);
    nl.addQdisc(conn, { ifindex: from }, { kind: 'clsact' });
    const filter = {
      ifindex: from,
      parent: nl.CLSACT_INGRESS,
      priority: 7,
      protocol: nl.ETH_P_ALL,
      keys: [],
      redirectTo: ifindex,
    };
    nl.addFilter(conn, filter);
    expect(nl.listFilters(conn, from, nl.CLSACT_INGRESS)).toEqual([
      { ...filter, keys: [{ mask: 0, value: 0, offset: 0 }], kind: 'u32', handle: 0x80000800 },
    ]);
    expect(nl.listFilters(conn, from, nl.CLSACT_EGRESS)).toEqual([]);
  });
});

describe('deleteLinks', () => {
  const pair = (): number[] => {
    nl.createVeth(conn, { name: 'a0' }, { name: 'b0' });
    nl.createIfb(conn, { name: 'i0' });
    return [nl.getLinkIndex(conn, 'a0'), nl.getLinkIndex(conn, 'i0')];
  };

  test('deletes all of them, with what belongs to them, and nothing else', () => {
    const indexes = pair();
    nl.createIfb(conn, { name: 'other' });
    nl.setLink(conn, 'other', { group: 77 });
    nl.deleteLinks(conn, indexes);
    expect(names()).toEqual(['lo', 'other']);
  });
  test('one that is gone already is no reason to leave the others', () => {
    const [first = 0, second = 0] = pair();
    nl.deleteLink(conn, first);
    nl.deleteLinks(conn, [first, second]);
    nl.deleteLinks(conn, [first, second]);
    nl.deleteLinks(conn, []);
    expect(names()).toEqual(['lo']);
  });
});
