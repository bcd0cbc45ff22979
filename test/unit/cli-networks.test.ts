import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findNetwork, plumbEntries, readNetworks } from '../../plugin/cli/networks.ts';

let folder: string;
let top: string;
beforeAll(() => {
  top = mkdtempSync(join(tmpdir(), 'networks-'));
});
afterAll(() => rmSync(top, { recursive: true }));
beforeEach(() => {
  folder = mkdtempSync(join(top, 'n'));
});

function put(file: string, value: unknown): void {
  writeFileSync(join(folder, file), typeof value === 'string' ? value : JSON.stringify(value));
}

const list = (name: string, more: object = {}) => ({
  cniVersion: '1.0.0',
  name,
  plugins: [{ type: 'plumb' }],
  ...more,
});

describe('network configurations', () => {
  test('of a folder that is not there, there are none', () => {
    const confDir = join(folder, 'absent');
    expect(readNetworks(confDir)).toEqual({ confDir, lists: [], faults: [] });
  });

  test('come in the order of their files; a single plugin is a list of one', () => {
    put('20-b.conflist', list('b'));
    put('10-c.conf', { cniVersion: '0.4.0', name: 'c', type: 'bridge', x: 1 });
    put('30-a.json', { name: 'a', type: 'ptp' });
    put('00-no.txt', list('no'));
    mkdirSync(join(folder, '05-folder.conf'));
    const { lists, faults } = readNetworks(folder);
    expect(faults).toEqual([]);
    expect(lists.map(({ name, cniVersion, plugins }) => ({ name, cniVersion, plugins }))).toEqual([
      {
        name: 'c',
        cniVersion: '0.4.0',
        plugins: [{ type: 'bridge', entry: { cniVersion: '0.4.0', name: 'c', type: 'bridge', x: 1 } }],
      },
      { name: 'b', cniVersion: '1.0.0', plugins: [{ type: 'plumb', entry: { type: 'plumb' } }] },
      { name: 'a', cniVersion: '', plugins: [{ type: 'ptp', entry: { name: 'a', type: 'ptp' } }] },
    ]);
    expect(JSON.parse(lists[0]?.json ?? '')).toEqual({
      cniVersion: '0.4.0',
      name: 'c',
      plugins: [{ cniVersion: '0.4.0', name: 'c', type: 'bridge', x: 1 }],
    });
  });

  test('a list counts before a single plugin of that name, wherever it stands', () => {
    put('10-a.conf', { cniVersion: '1.0.0', name: 'a', type: 'ptp' });
    put('20-a.conflist', list('a'));
    expect(findNetwork(readNetworks(folder), 'a').path).toBe(join(folder, '20-a.conflist'));
  });

  test('a name that is not there is refused with those that are, and with files that cannot be read', () => {
    put('1.conflist', list('one'));
    put('2.conflist', '{');
    expect(() => findNetwork(readNetworks(folder), 'two')).toThrow(
      `${folder}: no network "two" is configured here; there are one; not readable: ${folder}/2.conflist: `,
    );
  });

  test.each([
    ['no name', { plugins: [{ type: 'x' }] }, 'name is missing'],
    ['no plugin', { name: 'a' }, 'the list has no plugin'],
    ['plugins that are no list', { name: 'a', plugins: {} }, 'plugins is no list'],
    ['an entry without type', { name: 'a', plugins: [{ type: 'x' }, {}] }, 'plugins[1] has no type'],
    ['an entry that is no object', { name: 'a', plugins: ['x'] }, 'plugins[0] is no object'],
    ['a document that is no object', '[]', 'the document is no object'],
    ['a name that leads elsewhere', { name: '../x' }, 'name ../x is not allowed'],
  ])('%s is a fault', (_, value, message) => {
    put('1.conflist', value);
    expect(readNetworks(folder).faults).toEqual([
      { path: join(folder, '1.conflist'), message: `${folder}/1.conflist: ${message}` },
    ]);
  });

  test('entries beside a list belong to it, unless it says no', () => {
    mkdirSync(join(folder, 'a'));
    put('a/2.conf', { type: 'second' });
    put('a/1.conf', { type: 'first' });
    const types = (): string[] =>
      readNetworks(folder).lists.flatMap(({ plugins }) => plugins.map(({ type }) => type));
    put('1.conflist', list('a'));
    expect(types()).toEqual(['plumb', 'first', 'second']);
    put('1.conflist', { cniVersion: '1.0.0', name: 'a' });
    expect(types()).toEqual(['first', 'second']);
    put('1.conflist', list('a', { loadOnlyInlinedPlugins: true }));
    expect(types()).toEqual(['plumb']);
  });

  test.each([
    [['0.4.0', '1.1.0'], '1.0.0', '1.1.0'],
    [['0.4.0'], '1.0.0', '1.0.0'],
    [['9.0.0', '0.3.1'], undefined, '0.3.1'],
    [undefined, '0.4.0', '0.4.0'],
  ])('of cniVersions %j and cniVersion %s the newest that is known counts: %s', (all, one, expected) => {
    put('1.conflist', { ...list('a'), cniVersion: one, cniVersions: all });
    expect(readNetworks(folder).lists[0]?.cniVersion).toBe(expected);
  });

  test('entries for plumb say where records and leases are', () => {
    put('1.conflist', list('a', { plugins: [{ type: 'plumb', ipam: { type: 'host-local' } }] }));
    put('2.conflist', {
      name: 'b',
      plugins: [
        { type: 'plumb', runDir: '/run/b', ipam: { type: 'host-local', dataDir: '/leases' } },
        { type: 'bridge', ipam: { type: 'host-local' } },
        { type: 'plumb', ipam: { type: 'dhcp' } },
      ],
    });
    expect(plumbEntries(readNetworks(folder))).toEqual([
      { network: 'a', runDir: '/run/plumb', dataDir: '/var/lib/cni/networks' },
      { network: 'b', runDir: '/run/b', dataDir: '/leases' },
      { network: 'b', runDir: '/run/plumb', dataDir: undefined },
    ]);
  });
});
