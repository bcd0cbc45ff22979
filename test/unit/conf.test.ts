import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseNetworkConfig } from '../../src/cni/config.ts';

const folder = join(import.meta.dirname, '../../conf');

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
