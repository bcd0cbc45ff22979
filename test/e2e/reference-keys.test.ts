import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type Config, type Host, hostTest, type Options } from '../support/host.ts';
import { INSTALLED } from '../support/plugin.ts';
import { REFERENCE } from '../support/shared.ts';

// The table of docs/reference-keys.md: each key is tried as it says. To change what is promised, change the table.

const PLUGINS = ['ptp', 'host-local', 'static', 'portmap', 'bandwidth', 'firewall', 'tuning', 'loopback'];
const VERDICTS = ['supported', 'ignored', 'refused'] as const;

interface Row {
  readonly plugin: string;
  readonly key: string;
  readonly verdict: string;
  readonly example: unknown;
}

const page = readFileSync(join(import.meta.dirname, '../../docs/reference-keys.md'), 'utf8');
const rows: readonly Row[] = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && line.includes('`'))
  .map((line) => {
    const cells = line.split('|').map((cell) => cell.trim());
    expect(cells, line).toHaveLength(6);
    const [, plugin = '', key = '', words = '', example = ''] = cells;
    const unquoted = (cell: string): string => /^`(.*)`$/.exec(cell)?.[1] ?? '';
    const verdict = /^\w+/.exec(words)?.[0] ?? '';
    return { plugin, key: unquoted(key), verdict, example: JSON.parse(unquoted(example)) };
  });

const ARGS = 'CNI_ARGS ';
const isGc = (key: string): boolean => key.startsWith('cni.dev/');

/** The way to the value: `ipam.routes[].gw` is ipam, routes; what stands inside its lists is gw. */
function split(key: string): { outer: readonly string[]; inner: readonly string[]; depth: number } {
  if (isGc(key)) return { outer: [key], inner: [], depth: 0 };
  const [outside = '', ...rest] = key.split('[]');
  const inside = rest.at(-1) ?? '';
  return {
    outer: outside.split('.'),
    inner: inside === '' ? [] : inside.slice(1).split('.'),
    depth: rest.length,
  };
}

function put(object: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value;
  const given: Record<string, unknown> = typeof object === 'object' ? { ...object } : {};
  return { ...given, [key]: put(given[key], rest, value) };
}

function putTop(config: Config, [key = '', ...rest]: readonly string[], value: unknown): Config {
  return { ...config, [key]: put(config[key], rest, value) };
}

/** A value of a kind that the example is not. */
function wrongFor(key: string, example: unknown): unknown {
  const { inner, depth } = split(key);
  const wrong = (value: unknown): unknown => (typeof value === 'number' ? 'wrong' : 1.5);
  const descend = (value: unknown, levels: number): unknown => {
    if (levels > 0 && Array.isArray(value)) return [descend(value[0], levels - 1), ...value.slice(1)];
    const leaf = inner.reduce<unknown>((object, name) => Reflect.get(Object(object), name), value);
    return put(value, inner, wrong(leaf));
  };
  return descend(example, depth);
}

type Call = Omit<Options, 'config'> & { readonly config: Config };

/** How to call the plugin with the key. */
function asked(host: Host, { plugin, key }: Row, value: unknown): Call {
  const limits = { ingressRate: 8000, ingressBurst: 8000, egressRate: 8000, egressBurst: 8000 };
  const bases: Record<string, Config> = {
    // A rate is nothing without a burst.
    bandwidth: host.c4({}, { ...limits, runtimeConfig: { bandwidth: limits } }),
    static: host.c4({}, { ipam: { type: 'static', addresses: [{ address: '10.99.0.7/24' }] } }),
    loopback: { cniVersion: '1.1.0', name: 't', type: 'loopback' },
  };
  const base = bases[plugin] ?? host.c4();
  if (key.startsWith(ARGS)) return { args: `${key.slice(ARGS.length)}=${value}`, config: base };
  return { config: putTop(base, split(key).outer, value) };
}

describe('docs/reference-keys.md', () => {
  test('has rows of every plugin, each key once, with a verdict', () => {
    expect([...new Set(rows.map(({ plugin }) => plugin))]).toEqual(['all', ...PLUGINS]);
    const keys = rows.map(({ plugin, key }) => `${plugin} ${key}`);
    expect(keys.filter((key, i) => keys.indexOf(key) !== i)).toEqual([]);
    expect(rows.filter(({ verdict }) => !VERDICTS.some((it) => it === verdict))).toEqual([]);
    expect(rows.length).toBeGreaterThan(80);
  });

  // Go keeps the names of a struct's keys in the executable.
  test.each(PLUGINS)('has every key of the reference plugin %s', (plugin) => {
    const binary = readFileSync(join(REFERENCE, plugin), 'latin1');
    const tags = new Set([...binary.matchAll(/json:"(\w+)/g)].flatMap(([, tag]) => tag ?? []));
    // Of results, of errors and of GC's attachments, which every plugin has; and of what stands only inside such.
    const results = [
      ...[
        'code',
        'msg',
        'details',
        'supportedVersions',
        'interfaces',
        'ips',
        'ip4',
        'ip6',
        'interface',
        'version',
      ],
      ...['sandbox', 'socketPath', 'pciID', 'containerID', 'ifname', 'ip', 'address', 'gateway', 'routes'],
      ...['dst', 'gw', 'advmss', 'priority', 'table', 'scope', 'mac', 'mtu', 'cni', 'ignoreunknown', 'name'],
      ...['dns', 'ipam', 'nameservers', 'domain', 'search', 'options'],
    ];
    const inTable = rows
      .filter((row) => row.plugin === plugin || row.plugin === 'all')
      .flatMap(({ key }) => key.replace(ARGS, '').split(/[.[\]]+/))
      .map((key) => key.toLowerCase());
    expect(tags.size).toBeGreaterThan(10);
    expect([...tags].filter((tag) => !results.includes(tag) && !inTable.includes(tag.toLowerCase()))).toEqual(
      [],
    );
  });
});

describe.concurrent.each(INSTALLED)('%s', (name) => {
  const tryKey = hostTest(name);
  afterAll(() => {
    // The example of ipam.dataDir.
    rmSync('/run/reference-keys', { recursive: true, force: true });
  });

  tryKey.for(rows)('$plugin $key: $verdict', async (row, { host }) => {
    const { plugin, key, verdict, example } = row;
    // The folder of the example is shared by all.
    const id = `${name}-${rows.indexOf(row)}`;
    const right: Call = { id, ...asked(host, row, example) };
    const wrong: Call = { id, ...asked(host, row, key.startsWith(ARGS) ? 'wrong' : wrongFor(key, example)) };
    if (isGc(key)) {
      await host.ok('GC', right);
      expect(await host.refused('GC', wrong)).toMatchObject({ code: 7 });
      return;
    }
    const netns = await host.pod();
    if (verdict === 'refused') {
      const error = await host.refused('ADD', { ...right, netns });
      expect(error).toMatchObject({ code: 7, msg: expect.stringContaining(key) });
      await host.ok('DEL', { ...right, netns });
      return;
    }
    const prevResult = await host.add(netns, right);
    const after = { ...right, netns, config: { ...right.config, prevResult } };
    await host.ok('CHECK', after);
    await host.ok('DEL', after);
    if (plugin !== 'loopback') expect(await host.ends()).toEqual([]);
    if (verdict === 'supported') {
      const error = await host.refused('ADD', { ...wrong, netns });
      expect(error).toMatchObject({ code: key.startsWith(ARGS) ? 4 : 7 });
    } else if (verdict === 'ignored') {
      await host.add(netns, wrong);
      await host.ok('DEL', { ...wrong, netns });
    }
  });
});
