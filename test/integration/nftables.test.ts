import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as nl from '../../src/netlink/index.ts';
import { makeNetns, type Netns, run } from '../support/netns.ts';

let host: Netns;
let conn: nl.Connection;

beforeEach(() => {
  host = makeNetns();
  conn = nl.connect({ protocol: nl.NETLINK_NETFILTER, netnsFd: host.fd });
});
afterEach(() => {
  conn.close();
  host.remove();
});

const inside = (netns: Netns, ...command: string[]): string =>
  run('ip', 'netns', 'exec', netns.name, ...command);
const nft = (...args: string[]): string => inside(host, 'nft', ...args);

function load(ruleset: string): void {
  const file = join(tmpdir(), `${host.name}.nft`);
  writeFileSync(file, ruleset);
  nft('-f', file);
}

/** What `nft -j list ruleset` shows of one kind of object, without handles. */
function shown(kind: string): Record<string, unknown>[] {
  const { nftables }: { nftables: Record<string, Record<string, unknown>>[] } = JSON.parse(
    nft('-j', 'list', 'ruleset'),
  );
  return nftables.flatMap((object) => {
    const found = object[kind];
    if (found === undefined) return [];
    const { handle: _, ...rest } = found;
    return [rest];
  });
}

const T = { family: 'inet', table: 't' } as const;
const TABLE = nl.nftTableRequest('add', { family: 'inet', name: 't' });
const bytes = (...all: number[]): Uint8Array => Uint8Array.from(all);
const accept: nl.NftExpression = { name: 'immediate', verdict: { code: 'accept' } };
const drop: nl.NftExpression = { name: 'immediate', verdict: { code: 'drop' } };

/** What the kernel says to a transaction. */
function refusal(...requests: nl.Request[]): nl.NetlinkError {
  try {
    nl.commitNft(conn, requests);
  } catch (error) {
    if (error instanceof nl.NetlinkError) return error;
    throw error;
  }
  throw new Error('the kernel had nothing against it');
}

describe('what the library makes', () => {
  test('tables, chains, rules, sets and maps, as nft shows them', () => {
    nl.commitNft(conn, [
      nl.nftTableRequest('create', { family: 'inet', name: 't', comment: 'ours' }),
      nl.nftSetRequest('add', { ...T, name: 'nets', key: ['ipv4_addr', 'ipv4_addr'], flags: ['interval'] }),
      nl.nftSetRequest('add', {
        ...T,
        name: 'ports',
        key: ['inet_proto', 'inet_service'],
        data: ['ipv4_addr', 'inet_service'],
        comment: 'host ports',
      }),
      nl.nftChainRequest('add', {
        ...T,
        name: 'pre',
        base: { type: 'nat', hook: 'prerouting', priority: -100 },
      }),
      nl.nftChainRequest('add', {
        ...T,
        name: 'forwarded',
        base: { type: 'filter', hook: 'forward', priority: 0, policy: 'drop' },
      }),
      nl.nftChainRequest('add', { ...T, name: 'more' }),
      nl.nftRuleRequest('add', {
        ...T,
        chain: 'pre',
        comment: 'to containers',
        expressions: [
          { name: 'meta', key: 'nfproto', dreg: 1 },
          { name: 'cmp', sreg: 1, op: 'eq', data: bytes(2) },
          { name: 'meta', key: 'l4proto', dreg: 1 },
          { name: 'payload', base: 'transport_header', offset: 2, length: 2, dreg: 9 },
          { name: 'lookup', set: 'ports', sreg: 1, dreg: 1 },
          { name: 'nat', type: 'dnat', family: 2, addrMin: 1, protoMin: 9 },
        ],
      }),
      nl.nftRuleRequest('add', {
        ...T,
        chain: 'forwarded',
        expressions: [{ name: 'immediate', verdict: { code: 'jump', chain: 'more' } }],
      }),
      nl.nftElementRequest(
        'add',
        { ...T, name: 'nets' },
        { key: bytes(10, 1, 0, 0, 10, 1, 0, 0), keyEnd: bytes(10, 1, 255, 255, 10, 1, 255, 255) },
      ),
      nl.nftElementRequest(
        'add',
        { ...T, name: 'ports' },
        { key: bytes(6, 0, 0, 0, 0, 80, 0, 0), data: bytes(10, 1, 0, 2, 31, 144, 0, 0), comment: 'web' },
      ),
    ]);
    expect(shown('table')).toEqual([{ family: 'inet', name: 't' }]);
    expect(nft('list', 'table', 'inet', 't')).toContain('comment "ours"');
    expect(shown('chain')).toEqual([
      { ...T, name: 'pre', type: 'nat', hook: 'prerouting', prio: -100, policy: 'accept' },
      { ...T, name: 'forwarded', type: 'filter', hook: 'forward', prio: 0, policy: 'drop' },
      { ...T, name: 'more' },
    ]);
    expect(nft('list', 'set', 'inet', 't', 'nets')).toContain('elements = { 10.1.0.0/16 . 10.1.0.0/16 }');
    const ports = nft('list', 'map', 'inet', 't', 'ports');
    expect(ports).toContain('type inet_proto . inet_service : ipv4_addr . inet_service');
    expect(ports).toContain('comment "host ports"');
    expect(ports).toContain('elements = { tcp . 80 comment "web" : 10.1.0.2 . 8080 }');
    expect(nft('list', 'chain', 'inet', 't', 'pre')).toContain(
      'meta nfproto ipv4 dnat ip to meta l4proto . th dport map @ports comment "to containers"',
    );
    expect(nft('list', 'chain', 'inet', 't', 'forwarded')).toContain('jump more');
  });

  test('rules in the order that they are asked for', () => {
    const rule = (comment: string): nl.NftRule => ({ ...T, chain: 'c', expressions: [accept], comment });
    const list = (): nl.NftRuleInfo[] => nl.listNftRules(conn, { ...T, chain: 'c' });
    const comments = (): (string | undefined)[] => list().map(({ comment }) => comment);
    const handleOf = (comment: string): number => list().find((one) => one.comment === comment)?.handle ?? -1;
    nl.commitNft(conn, [
      TABLE,
      nl.nftChainRequest('add', { ...T, name: 'c' }),
      nl.nftRuleRequest('add', rule('b')),
      nl.nftRuleRequest('add', rule('d')),
      nl.nftRuleRequest('insert', rule('a')),
    ]);
    expect(comments()).toEqual(['a', 'b', 'd']);
    nl.commitNft(conn, [
      nl.nftRuleRequest('add', rule('c'), handleOf('b')),
      nl.nftRuleRequest('insert', rule('before a'), handleOf('a')),
    ]);
    expect(comments()).toEqual(['before a', 'a', 'b', 'c', 'd']);
    nl.commitNft(conn, [
      nl.nftRuleRequest('replace', rule('B'), handleOf('b')),
      nl.nftRuleRequest('delete', { ...T, chain: 'c' }, handleOf('a')),
      nl.nftRuleRequest('destroy', { ...T, chain: 'c' }, handleOf('d')),
    ]);
    expect(comments()).toEqual(['before a', 'B', 'c']);
    expect(nl.countNftRules(conn, { family: 'inet', name: 't' })).toEqual(new Map([['c', 3]]));
    nl.commitNft(conn, [nl.nftFlushChainRequest({ ...T, name: 'c' })]);
    expect(comments()).toEqual([]);
    expect(nl.countNftRules(conn, { family: 'inet', name: 't' })).toEqual(new Map());
  });

  test('a set without a name, which one rule has for itself', () => {
    const set = { ...T, name: '__set%d', id: 7 };
    nl.commitNft(conn, [
      TABLE,
      nl.nftChainRequest('add', { ...T, name: 'c' }),
      nl.nftSetRequest('add', { ...set, key: ['inet_service'], flags: ['anonymous', 'constant'], size: 2 }),
      nl.nftElementRequest('add', set, { key: bytes(0, 80) }),
      nl.nftElementRequest('add', set, { key: bytes(1, 187) }),
      nl.nftRuleRequest('add', {
        ...T,
        chain: 'c',
        expressions: [
          { name: 'meta', key: 'l4proto', dreg: 1 },
          { name: 'cmp', sreg: 1, op: 'eq', data: bytes(6) },
          { name: 'payload', base: 'transport_header', offset: 2, length: 2, dreg: 1 },
          { name: 'lookup', set: '__set%d', setId: 7, sreg: 1 },
          accept,
        ],
      }),
    ]);
    expect(nft('list', 'chain', 'inet', 't', 'c')).toContain('tcp dport { 80, 443 } accept');
  });

  test('what is deleted is gone, and to destroy what is not there is success', () => {
    const absent = { ...T, name: 'absent' };
    nl.commitNft(conn, [
      TABLE,
      nl.nftChainRequest('add', { ...T, name: 'c' }),
      nl.nftSetRequest('add', { ...T, name: 's', key: ['mark'] }),
      nl.nftElementRequest('add', { ...T, name: 's' }, { key: bytes(1, 0, 0, 0) }),
    ]);
    nl.commitNft(conn, [
      nl.nftElementRequest('delete', { ...T, name: 's' }, { key: bytes(1, 0, 0, 0) }),
      nl.nftElementRequest('destroy', { ...T, name: 's' }, { key: bytes(2, 0, 0, 0) }),
      nl.nftSetRequest('destroy', absent),
      nl.nftChainRequest('destroy', absent),
      nl.nftTableRequest('destroy', { family: 'ip6', name: 'absent' }),
    ]);
    expect(nl.listNftElements(conn, { ...T, name: 's' })).toEqual([]);
    nl.commitNft(conn, [
      nl.nftSetRequest('delete', { ...T, name: 's' }),
      nl.nftChainRequest('delete', { ...T, name: 'c' }),
    ]);
    expect([nl.listNftSets(conn), nl.listNftChains(conn)]).toEqual([[], []]);
    nl.commitNft(conn, [nl.nftTableRequest('delete', { family: 'inet', name: 't' })]);
    expect(nl.listNftTables(conn)).toEqual([]);
  });
});

describe('elements', () => {
  test('of concatenated intervals: a key is found in the interval that it belongs to', () => {
    const set = { ...T, name: 's' };
    nl.commitNft(conn, [
      TABLE,
      nl.nftSetRequest('add', {
        ...set,
        key: ['ipv6_addr', 'inet_proto', 'inet_service'],
        flags: ['interval'],
      }),
    ]);
    const host6 = (last: number): number[] => [0xfd, ...new Array<number>(14).fill(0), last];
    const from = bytes(...host6(0), 6, 0, 0, 0, 0, 80, 0, 0);
    const to = bytes(...host6(255), 6, 0, 0, 0, 0, 90, 0, 0);
    nl.commitNft(conn, [nl.nftElementRequest('add', set, { key: from, keyEnd: to, comment: 'web' })]);
    expect(nft('list', 'set', 'inet', 't', 's')).toContain(
      'elements = { fd00::/120 . tcp . 80-90 comment "web" }',
    );
    const whole = { key: from, keyEnd: to, comment: 'web' };
    expect(nl.listNftElements(conn, set)).toEqual([whole]);
    expect(nl.findNftElement(conn, set, bytes(...host6(7), 6, 0, 0, 0, 0, 85, 0, 0))).toEqual(whole);
    expect(nl.findNftElement(conn, set, bytes(...host6(7), 6, 0, 0, 0, 0, 91, 0, 0))).toBeUndefined();
    expect(nl.findNftElement(conn, set, bytes(...host6(7), 17, 0, 0, 0, 0, 85, 0, 0))).toBeUndefined();
    expect(nl.findNftSet(conn, set)).toMatchObject({
      key: ['ipv6_addr', 'inet_proto', 'inet_service'],
      flags: ['interval', 'concat'],
    });
  });

  test('of intervals of one field', () => {
    const set = { ...T, name: 's' };
    nl.commitNft(conn, [
      TABLE,
      nl.nftSetRequest('add', { ...set, key: ['inet_service'], flags: ['interval'] }),
      ...nl.nftElementRequests('add', set, [
        ...nl.nftInterval(bytes(0, 80), bytes(0, 90), { comment: 'web' }),
        ...nl.nftInterval(bytes(0, 91), bytes(0, 91)),
        ...nl.nftInterval(bytes(0xff, 0), bytes(0xff, 0xff)),
      ]),
    ]);
    expect(nft('list', 'set', 'inet', 't', 's').replaceAll(/\s+/g, ' ')).toContain(
      'elements = { 80-90 comment "web", 91, 65280-65535 }',
    );
    expect(nl.joinNftIntervals(nl.listNftElements(conn, set))).toEqual([
      { key: bytes(0, 80), keyEnd: bytes(0, 90), comment: 'web' },
      { key: bytes(0, 91), keyEnd: bytes(0, 91) },
      { key: bytes(0xff, 0), keyEnd: bytes(0xff, 0xff) },
    ]);
  });

  test('of a map of verdicts, with one for all other keys', () => {
    const map = { ...T, name: 'v' };
    nl.commitNft(conn, [
      TABLE,
      nl.nftChainRequest('add', { ...T, name: 'c' }),
      nl.nftSetRequest('add', { ...map, key: ['ipv4_addr'], data: ['verdict'] }),
      ...nl.nftElementRequests('add', map, [
        { key: bytes(10, 0, 0, 1), verdict: { code: 'goto', chain: 'c' } },
        { key: bytes(), flags: ['catchall'], verdict: { code: 'drop' } },
      ]),
    ]);
    expect(nft('list', 'map', 'inet', 't', 'v').replaceAll(/\s+/g, ' ')).toContain(
      'elements = { 10.0.0.1 : goto c, * : drop }',
    );
    expect(nl.listNftElements(conn, map)).toEqual([
      { key: bytes(10, 0, 0, 1), verdict: { code: 'goto', chain: 'c' } },
      { key: bytes(), flags: ['catchall'], verdict: { code: 'drop' } },
    ]);
  });

  test('with user data, which stays as it is until the element is made anew', () => {
    const set = { ...T, name: 's' };
    const key = bytes(10, 0, 0, 1);
    const userData = bytes(77, 2, 1, 2, 0, 3, 0x68, 0x69, 0);
    nl.commitNft(conn, [
      TABLE,
      nl.nftSetRequest('add', { ...set, key: ['ipv4_addr'] }),
      nl.nftElementRequest('add', set, { key, userData }),
    ]);
    expect(nl.findNftElement(conn, set, key)).toEqual({ key, userData, comment: 'hi' });
    nl.commitNft(conn, [nl.nftElementRequest('add', set, { key, comment: 'other' })]);
    expect(nl.findNftElement(conn, set, key)?.comment).toBe('hi');
    nl.commitNft(conn, [
      nl.nftElementRequest('delete', set, { key }),
      nl.nftElementRequest('add', set, { key, comment: 'other' }),
    ]);
    expect(nl.findNftElement(conn, set, key)).toEqual({ key, comment: 'other' });
  });

  test('that expire, and that count', () => {
    const set = { ...T, name: 's' };
    const key = bytes(10, 0, 0, 1);
    nl.commitNft(conn, [
      TABLE,
      nl.nftSetRequest('add', { ...set, key: ['ipv4_addr'], flags: ['timeout'], timeout: 3_600_000 }),
      nl.nftElementRequest('add', set, {
        key,
        timeout: 60_000,
        expressions: [{ name: 'counter', packets: 5n, bytes: 2n ** 60n }],
      }),
    ]);
    const { expiration = 0, ...rest } = nl.findNftElement(conn, set, key) ?? { key: bytes() };
    expect(rest).toEqual({
      key,
      timeout: 60_000,
      expressions: [{ name: 'counter', packets: 5n, bytes: 2n ** 60n }],
    });
    expect(expiration).toBeGreaterThan(0);
    expect(expiration).toBeLessThanOrEqual(60_000);
    expect(nl.findNftSet(conn, set)).toMatchObject({ flags: ['timeout'], timeout: 3_600_000 });
  });

  test('of what is not there, there are none', () => {
    const absent = { ...T, name: 'absent' };
    expect(nl.listNftElements(conn, absent)).toEqual([]);
    expect(nl.findNftElement(conn, absent, bytes(1))).toBeUndefined();
    expect(nl.findNftSet(conn, absent)).toBeUndefined();
    expect(nl.findNftChain(conn, absent)).toBeUndefined();
    expect(nl.findNftTable(conn, { family: 'inet', name: 'absent' })).toBeUndefined();
    expect(nl.listNftRules(conn, { ...T, chain: 'absent' })).toEqual([]);
    expect(nl.countNftRules(conn, { family: 'inet', name: 'absent' })).toEqual(new Map());
  });
});

const FOREIGN = `
table inet t {
  comment "somebody's"
  set blocked { type ipv4_addr; flags interval; auto-merge; elements = { 10.0.0.0/8, 192.168.1.1-192.168.1.9 }; }
  set pairs { typeof ip saddr . tcp dport; flags interval; elements = { 10.0.0.0/8 . 80-90, 1.2.3.4 . 443 }; }
  set seen { type ipv6_addr; size 128; flags dynamic,timeout; timeout 1m; }
  map marks { type ifname : mark; elements = { "eth0" comment "wan" : 0x10, "eth1" : 0x20 }; }
  map ways { type inet_service : verdict; elements = { 22 : accept, 23 : goto other }; }
  chain in {
    type filter hook input priority filter; policy drop;
    ct state vmap { established : accept, related : accept, invalid : drop }
    iif "lo" accept
    ip saddr @blocked counter packets 3 bytes 180 drop comment "no"
    ip saddr . tcp dport @pairs accept
    tcp dport vmap @ways
    meta mark set iifname map @marks
    tcp dport { 80, 443, 8000-8080 } tcp flags & (syn | ack) == syn limit rate 5/second accept
    udp dport != 53 ip6 saddr fe80::/10 log prefix "odd " group 2
    ct mark set meta mark meta pkttype { broadcast, multicast } drop
    fib saddr . iif oif missing drop
    meta l4proto tcp reject with tcp reset
    reject with icmpx type port-unreachable
    update @seen { ip6 saddr }
  }
  chain other {
    ip ttl set 64 ; ip dscp set af11; return;
  }
  chain nat { type nat hook postrouting priority srcnat; oifname "eth*" masquerade random,persistent; }
  chain redirected { type nat hook prerouting priority dstnat - 5; tcp dport 1000-2000 redirect to :3000; ip daddr 10.1.1.1 tcp dport 80 dnat ip to 10.2.2.2-10.2.2.9:8080; }
}
table bridge b {
  chain c { type filter hook forward priority -200; ether saddr 02:00:00:00:00:01 ether type arp drop; }
}
table arp a {
  chain c { type filter hook input priority 0; arp operation request accept; }
}
table netdev n {
  chain c { type filter hook ingress device "lo" priority 0; policy accept; meta protocol ip6 drop; }
}
table ip6 empty {
  flags dormant;
}
`;

/** What nft shows, with what stands in braces sorted: elements have no order. */
function normalized(ruleset: string): string {
  return ruleset.replaceAll(/\{([^{}]*)\}/g, (_, list: string) =>
    list
      .split(',')
      .map((part) => part.trim())
      .sort()
      .join(', '),
  );
}

/** Makes all that the kernel has here in another namespace, by what the library reads and writes. */
function copy(to: nl.Connection): void {
  const sets = nl.listNftSets(conn);
  // Sets without a name are known to rules by what the kernel has called them.
  const ids = new Map(sets.map(({ family, table, name }, i) => [`${family} ${table} ${name}`, i + 1]));
  const renamed = (set: nl.NftSetInfo): nl.NftSet => ({
    ...set,
    id: ids.get(`${set.family} ${set.table} ${set.name}`) ?? 0,
    name: set.flags?.includes('anonymous') === true ? set.name.replace(/\d+$/, '%d') : set.name,
  });
  const rules = nl.listNftRules(conn).map((rule) => ({
    ...rule,
    expressions: rule.expressions.map((expression) => {
      if (expression.name !== 'lookup') return expression;
      const setId = ids.get(`${rule.family} ${rule.table} ${expression.set}`) ?? 0;
      return { ...expression, setId, set: expression.set.replace(/^(__\w+?)\d+$/, '$1%d') };
    }),
  }));
  nl.commitNft(to, [
    ...nl.listNftTables(conn).map((table) => nl.nftTableRequest('create', table)),
    ...nl.listNftChains(conn).map((chain) => nl.nftChainRequest('create', chain)),
    ...sets.map((set) => nl.nftSetRequest('create', renamed(set))),
    ...sets.flatMap((set) => nl.nftElementRequests('create', renamed(set), nl.listNftElements(conn, set))),
    ...rules.map((rule) => nl.nftRuleRequest('add', rule)),
  ]);
}

describe("other programs' rulesets", () => {
  test('what is read of one and written again is the same to nft', () => {
    load(FOREIGN);
    const other = makeNetns();
    const there = nl.connect({ protocol: nl.NETLINK_NETFILTER, netnsFd: other.fd });
    try {
      copy(there);
      const ours = inside(other, 'nft', 'list', 'ruleset');
      expect(normalized(ours)).toBe(normalized(nft('list', 'ruleset')));
      expect(ours).toMatch(/ct state vmap \{ .*related : accept/);
    } finally {
      there.close();
      other.remove();
    }
  });

  test('in the types of the library', () => {
    load(FOREIGN);
    expect(nl.listNftTables(conn).map(({ family, name }) => `${family} ${name}`)).toEqual([
      'inet t',
      'bridge b',
      'arp a',
      'netdev n',
      'ip6 empty',
    ]);
    expect(nl.findNftTable(conn, { family: 'ip6', name: 'empty' })).toMatchObject({ flags: ['dormant'] });
    expect(nl.listNftTables(conn, 'arp').map(({ name }) => name)).toEqual(['a']);
    expect(nl.listNftChains(conn, 'netdev')).toMatchObject([
      {
        name: 'c',
        base: { type: 'filter', hook: 'ingress', priority: 0, policy: 'accept', devices: ['lo'] },
      },
    ]);
    expect(nl.listNftChains(conn, 'arp')).toMatchObject([{ base: { hook: 'input' } }]);
    expect(nl.listNftChains(conn, 'inet', 't').map(({ name, base }) => [name, base?.hook])).toEqual([
      ['in', 'input'],
      ['other', undefined],
      ['nat', 'postrouting'],
      ['redirected', 'prerouting'],
    ]);
    const [rule] = nl.listNftRules(conn, { family: 'arp', table: 'a', chain: 'c' });
    expect(rule?.expressions).toEqual([
      { name: 'payload', base: 'network_header', offset: 6, length: 2, dreg: 1 },
      { name: 'cmp', sreg: 1, op: 'eq', data: bytes(0, 1) },
      accept,
    ]);
    expect(nl.listNftSets(conn, 'inet', 't').find(({ name }) => name === 'marks')).toMatchObject({
      key: ['ifname'],
      data: ['mark'],
    });
  });

  test('those of iptables-nft', () => {
    const iptables = (...args: string[]): string => inside(host, 'iptables-nft', ...args);
    iptables('-P', 'FORWARD', 'DROP');
    iptables(
      '-A',
      'FORWARD',
      '-i',
      'eth0',
      '-p',
      'tcp',
      '--dport',
      '80',
      '-m',
      'comment',
      '--comment',
      'web',
      '-j',
      'ACCEPT',
    );
    iptables('-t', 'nat', '-A', 'POSTROUTING', '-j', 'MASQUERADE');
    const forward = nl.findNftChain(conn, { family: 'ip', table: 'filter', name: 'FORWARD' });
    expect(forward?.base).toEqual({ type: 'filter', hook: 'forward', priority: 0, policy: 'drop' });
    const [rule] = nl.listNftRules(conn, { family: 'ip', table: 'filter', chain: 'FORWARD' });
    const kinds = rule?.expressions.map((one) => (one.name === 'unknown' ? one.kernelName : one.name));
    expect(kinds?.[0]).toBe('meta');
    expect(kinds).toContain('match');
    expect(kinds?.slice(-2)).toEqual(['counter', 'immediate']);
    const match = rule?.expressions.find((one) => one.name === 'unknown');
    // NFTA_MATCH_NAME
    const [name] = match?.name === 'unknown' ? nl.splitAttributes(match.data) : [];
    expect(name?.type).toBe(1);
    const [nat] = nl.listNftRules(conn, { family: 'ip', table: 'nat', chain: 'POSTROUTING' });
    expect(nat?.expressions.at(-1)?.name).toMatch(/^(masq|unknown)$/);
  });
});

describe('transactions', () => {
  const chain = (name: string): nl.Request => nl.nftChainRequest('create', { ...T, name });

  test('all of it or nothing, and the error says what was refused', () => {
    const error = refusal(
      TABLE,
      chain('a'),
      nl.nftRuleRequest('add', {
        ...T,
        chain: 'a',
        expressions: [{ name: 'immediate', verdict: { code: 'goto', chain: 'absent' } }],
      }),
      chain('b'),
    );
    expect(error.message).toMatch(/^add rule inet t a: NFT_MSG_NEWRULE: ENOENT/);
    expect(error).toMatchObject({ code: 'ENOENT', what: 'add rule inet t a', request: 'NFT_MSG_NEWRULE' });
    expect(nl.listNftTables(conn)).toEqual([]);
    // The connection is as good as before.
    nl.commitNft(conn, [TABLE, chain('a')]);
    expect(nl.listNftChains(conn).map(({ name }) => name)).toEqual(['a']);
  });

  test('what the kernel says beside the errno: where in the request it is', () => {
    nl.commitNft(conn, [TABLE]);
    // Behind the header of the message, that of nfnetlink and the name of the table, in 8 bytes.
    expect(refusal(nl.nftChainRequest('delete', { ...T, name: 'absent' }))).toMatchObject({
      code: 'ENOENT',
      extendedAck: { offset: 16 + 4 + 8 },
    });
  });

  test.each<[string, string, () => nl.Request]>([
    ['a chain that is there already', 'EEXIST', () => chain('c')],
    [
      'a base chain of another priority',
      'EOPNOTSUPP',
      () =>
        nl.nftChainRequest('add', {
          ...T,
          name: 'base',
          base: { type: 'filter', hook: 'input', priority: 5 },
        }),
    ],
    ['a set that rules look into', 'EBUSY', () => nl.nftSetRequest('delete', { ...T, name: 's' })],
    ['a chain that rules lead to', 'EBUSY', () => nl.nftChainRequest('delete', { ...T, name: 'c' })],
    [
      'an element that leads elsewhere',
      'EEXIST',
      () =>
        nl.nftElementRequest('add', { ...T, name: 'm' }, { key: bytes(1, 0, 0, 0), data: bytes(3, 0, 0, 0) }),
    ],
    [
      'an element that is there already',
      'EEXIST',
      () =>
        nl.nftElementRequest(
          'create',
          { ...T, name: 'm' },
          { key: bytes(1, 0, 0, 0), data: bytes(2, 0, 0, 0) },
        ),
    ],
    [
      'a key of another length',
      'EINVAL',
      () => nl.nftElementRequest('add', { ...T, name: 's' }, { key: bytes(1, 2) }),
    ],
    [
      'an element that is not there',
      'ENOENT',
      () => nl.nftElementRequest('delete', { ...T, name: 's' }, { key: bytes(9, 9, 9, 9) }),
    ],
    ['a rule that is not there', 'ENOENT', () => nl.nftRuleRequest('delete', { ...T, chain: 'c' }, 4711)],
  ])('refused: %s is %s', (_, code, request) => {
    nl.commitNft(conn, [
      TABLE,
      chain('c'),
      nl.nftChainRequest('add', { ...T, name: 'base', base: { type: 'filter', hook: 'input', priority: 0 } }),
      nl.nftSetRequest('add', { ...T, name: 's', key: ['ipv4_addr'] }),
      nl.nftSetRequest('add', { ...T, name: 'm', key: ['mark'], data: ['mark'] }),
      nl.nftElementRequest('add', { ...T, name: 'm' }, { key: bytes(1, 0, 0, 0), data: bytes(2, 0, 0, 0) }),
      nl.nftRuleRequest('add', {
        ...T,
        chain: 'base',
        expressions: [
          { name: 'meta', key: 'nfproto', dreg: 1 },
          { name: 'cmp', sreg: 1, op: 'eq', data: bytes(2) },
          { name: 'payload', base: 'network_header', offset: 12, length: 4, dreg: 1 },
          { name: 'lookup', set: 's', sreg: 1 },
          { name: 'immediate', verdict: { code: 'jump', chain: 'c' } },
        ],
      }),
    ]);
    const before = nft('list', 'ruleset');
    const refused = request();
    expect(refusal(refused)).toMatchObject({ code, what: refused.what });
    expect(nft('list', 'ruleset')).toBe(before);
  });

  test('each that changes something moves the generation on', () => {
    const before = nl.nftGeneration(conn) ?? 0;
    nl.commitNft(conn, [TABLE]);
    expect(nl.nftGeneration(conn)).toBe(before + 1);
    nft('add', 'table', 'ip', 'another');
    expect(nl.nftGeneration(conn)).toBe(before + 2);
  });

  test('one on condition that nobody has changed the ruleset', () => {
    const since = nl.nftGeneration(conn) ?? 0;
    nft('add', 'table', 'ip', 'another');
    expect(() => nl.commitNft(conn, [TABLE], since)).toThrow(
      'nftables transaction: NFNL_MSG_BATCH_BEGIN: ERESTART',
    );
    expect(nl.findNftTable(conn, { family: 'inet', name: 't' })).toBeUndefined();
    nl.commitNft(conn, [TABLE], since + 1);
    expect(nl.findNftTable(conn, { family: 'inet', name: 't' })?.name).toBe('t');
  });

  test('a rival between look and commit makes it look again', () => {
    const seen: number[] = [];
    nl.commitNftUnchanged(conn, () => {
      const tables = nl.listNftTables(conn).length;
      seen.push(tables);
      if (tables < 2) nft('add', 'table', 'ip', `rival${tables}`);
      return [TABLE];
    });
    expect(seen).toEqual([0, 1, 2]);
    expect(nl.listNftTables(conn).map(({ name }) => name)).toEqual(['rival0', 'rival1', 't']);
  });

  test('a rival who never rests is an error in the end', () => {
    let looks = 0;
    const plan = (): nl.Request[] => {
      nft('add', 'table', 'ip', `rival${looks++}`);
      return [TABLE];
    };
    expect(() => nl.commitNftUnchanged(conn, plan, 3)).toThrow(/ERESTART/);
    expect(looks).toBe(3);
    expect(nl.findNftTable(conn, { family: 'inet', name: 't' })).toBeUndefined();
  });

  test('nothing to be done is no transaction', () => {
    const before = nl.nftGeneration(conn);
    nl.commitNftUnchanged(conn, () => []);
    expect(nl.nftGeneration(conn)).toBe(before);
  });

  test('20,000 elements and 2,000 rules at once', () => {
    const set = { ...T, name: 's' };
    const elements = Array.from({ length: 20_000 }, (_, i) => ({ key: bytes(10, 0, i >> 8, i & 0xff) }));
    const rule = nl.nftRuleRequest('add', { ...T, chain: 'c', expressions: [drop] });
    nl.commitNft(conn, [
      TABLE,
      chain('c'),
      nl.nftSetRequest('add', { ...set, key: ['ipv4_addr'] }),
      ...nl.nftElementRequests('add', set, elements),
      ...new Array<nl.Request>(2000).fill(rule),
    ]);
    const found = nl.listNftElements(conn, set).map(({ key }) => (key[2] ?? 0) * 256 + (key[3] ?? 0));
    expect(found.toSorted((a, b) => a - b)).toEqual(elements.map((_, i) => i));
    expect(nl.countNftRules(conn, { family: 'inet', name: 't' }).get('c')).toBe(2000);
    nl.commitNft(conn, [nl.nftFlushSetRequest(set)]);
    expect(nl.listNftElements(conn, set)).toEqual([]);
  });
});
