import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
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
