import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkConfig } from '../../plugin/cli/config/check.ts';
import { DEFAULT_LIST, DEFAULT_LIST_NAME } from '../../plugin/cli/install/default-list.ts';
import { parseNetworkConfig } from '../../src/cni/config.ts';

const folder = join(import.meta.dirname, '../../conf');

test('what plumb install writes is the example, but for the path of the schema', () => {
  const [first, schema, ...rest] = readFileSync(join(folder, DEFAULT_LIST_NAME), 'utf8').split('\n');
  expect(schema).toBe('  "$schema": "../schemas/plumb.schema.json",');
  expect([first, ...rest].join('\n')).toBe(DEFAULT_LIST);
});

test.each(readdirSync(folder))('check-config has nothing to say about the example %s', (file) => {
  expect(checkConfig(readFileSync(join(folder, file), 'utf8'), file).problems).toEqual([]);
});

test.each(readdirSync(folder))('the example %s is a configuration that ADD takes', (file) => {
  const { plugins, ...list } = JSON.parse(readFileSync(join(folder, file), 'utf8'));
  const [plugin] = plugins;
  // libcni hands name and version of the list to each plugin.
  const config = parseNetworkConfig(
    JSON.stringify({ ...plugin, name: list.name, cniVersion: list.cniVersion }),
    'ADD',
  );
  expect(config).toMatchObject({ name: list.name, cniVersion: list.cniVersion, type: 'plumb' });
});
