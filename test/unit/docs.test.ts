import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EXIT_MEANINGS } from '../../plugin/cli/exit-code.ts';
import * as cniErrors from '../../src/cni/error.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Every property that a JSON Schema names, wherever it stands. */
function properties(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([key, value]) => [
    ...(key === 'properties' ? Object.keys(value) : []),
    ...properties(value),
  ]);
}

describe('docs/configuration.md', () => {
  const page = read('docs/configuration.md');
  const schema: unknown = JSON.parse(read('schemas/network-config.schema.json'));

  test.each([...new Set(properties(schema))])('names the key %s of the schema', (key) => {
    expect(page).toContain(`\`${key}\``);
  });

  test.each(['IP', 'MAC', 'GATEWAY', 'IgnoreUnknown'])('names the key %s of CNI_ARGS', (key) => {
    expect(page).toContain(`\`${key}\``);
  });

  test('names no key in its tables that the program does not know', () => {
    const known = new Set([...properties(schema), 'IP', 'MAC', 'GATEWAY', 'IgnoreUnknown']);
    const rows = page.split('\n').filter((line) => line.startsWith('| `'));
    const named = rows.flatMap((row) =>
      [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, key]) => key ?? ''),
    );
    expect(named.length).toBeGreaterThan(40);
    expect(named.filter((key) => !known.has(key))).toEqual([]);
  });
});

/** The tables of docs/configuration.md, by heading, and the place of their keys in the schema. */
const TABLES: Readonly<Record<string, readonly string[]>> = {
  '## The plugin': ['properties'],
  '### `dns`': ['definitions', 'dns', 'properties'],
  '### Tuning': ['properties'],
  '## `ipam` of type `host-local`': ['definitions', 'hostLocal', 'properties'],
  'A range:': ['definitions', 'range', 'properties'],
  'A route:': ['definitions', 'routes', 'items', 'properties'],
  '### `static`': ['definitions', 'static', 'properties'],
  '## `runtimeConfig`': ['properties', 'runtimeConfig', 'properties'],
  '### `portMappings`': [
    ...['properties', 'runtimeConfig', 'properties', 'portMappings', 'items', 'properties'],
  ],
  '## `args.cni`': ['properties', 'args', 'properties', 'cni', 'properties'],
};

interface Row {
  readonly keys: readonly string[];
  readonly meaning: string;
  readonly fallback: string | undefined;
}

/** The rows of the tables with a column `meaning`, by heading. */
function tables(page: string): Map<string, Row[]> {
  const found = new Map<string, Row[]>();
  let above = '';
  let rows: Row[] | undefined;
  let head: string[] = [];
  for (const line of page.split('\n')) {
    const cells = line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim());
    if (!line.startsWith('|')) {
      if (/^#|^A \w+:$/.test(line)) above = line;
      rows = undefined;
    } else if (rows === undefined) {
      head = cells;
      rows = [];
      if (cells[0] === 'key' && cells[1] === 'meaning') found.set(above, rows);
    } else if (!line.startsWith('|---')) {
      rows.push({
        keys: [...(cells[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, key = '']) => key),
        meaning: plain(cells[1] ?? ''),
        fallback: cells[head.indexOf('default')],
      });
    }
  }
  return found;
}

const plain = (text: string): string => text.replaceAll('`', '').replace(/,? see below$/, '');

describe('hover texts of editors', () => {
  const schema = JSON.parse(read('schemas/network-config.schema.json'));
  const found = tables(read('docs/configuration.md'));

  test('docs/configuration.md has the tables that are compared', () => {
    expect([...found.keys()].filter((above) => above !== '## `CNI_ARGS`')).toEqual(Object.keys(TABLES));
  });

  test.each(Object.entries(TABLES))('below “%s” are the titles and defaults of the schema', (above, path) => {
    const place = path.reduce((node, key) => node[key], schema);
    const rows = (found.get(above) ?? []).filter(({ keys: [key = ''] }) => Object.hasOwn(place, key));
    expect(rows.length).toBeGreaterThan(1);
    for (const { keys, meaning, fallback } of rows) {
      // A row of several keys says of all of them what each title says of one.
      if (keys.length > 1) continue;
      const [key = ''] = keys;
      expect(`${key}: ${meaning}`).toBe(`${key}: ${place[key].title}`);
      const value: unknown = place[key].default;
      if (value !== undefined) expect(`${key}: ${fallback}`).toMatch(new RegExp(`^${key}: \`?${value}\\b`));
    }
  });

  test('each key has a title', () => {
    const silent: string[] = [];
    const visit = (node: unknown, path: string): void => {
      if (typeof node !== 'object' || node === null) return;
      for (const [key, value] of Object.entries(node)) {
        if (path.endsWith('/properties') && !/\/(if|then|not)\//.test(path) && !('title' in value))
          silent.push(`${path}/${key}`);
        visit(value, `${path}/${key}`);
      }
    };
    visit(schema, '');
    expect(silent).toEqual([]);
  });
});

test('docs/cli.md has the exit codes', () => {
  const rows = [...read('docs/cli.md').matchAll(/^\| (\d+) \| (.*) \|$/gm)].map(([, code, text]) => [
    code,
    text,
  ]);
  expect(rows).toEqual(Object.entries(EXIT_MEANINGS));
});

describe('docs/errors.md', () => {
  const constants = new Map(Object.entries(cniErrors).map(([name, value]) => [name, String(value)]));
  const sources = globSync(['plugin/**/*.ts', 'src/**/*.ts'], { cwd: root }).map(read).join('\n');
  const thrown = [...sources.matchAll(/new CniError\(\s*(\w+),/g)].map(
    ([, code = '']) => constants.get(code) ?? code,
  );
  const mapped = [...read('plugin/cni-error.ts').matchAll(/return (\d+);/g)].map(([, code = '']) => code);
  // CniError(codeOf(error), …) is what `mapped` stands for.
  const codes = [...new Set([...thrown, ...mapped])].toSorted((a, b) => Number(a) - Number(b));

  test('has exactly the codes that the sources throw', () => {
    const documented = [...read('docs/errors.md').matchAll(/^\| (\d+) \|/gm)].map(([, code]) => code);
    expect(codes).toEqual(expect.arrayContaining(['1', '4', '5', '7', '11', '50', '100', '999']));
    expect(documented).toEqual(codes);
  });
});

describe('links of the documentation', () => {
  const files = globSync(['*.md', 'docs/*.md'], { cwd: root }).toSorted();
  const prose = (path: string): string => read(path).replace(/^( *)```.*?^ *```$/gms, '');
  // GitHub's rule: lower case, no punctuation, spaces become hyphens.
  const anchors = (path: string): string[] =>
    [...prose(path).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    );

  test.each(files)('those of %s lead to files and headings', (path) => {
    const links = [...prose(path).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)];
    const broken = links.filter(([, target = '', anchor]) => {
      // The benchmark makes the pictures.
      if (target.endsWith('.svg')) return false;
      const file = target === '' ? path : join(dirname(path), target);
      if (!existsSync(join(root, file))) return true;
      return anchor !== undefined && file.endsWith('.md') && !anchors(file).includes(anchor);
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  });
});
