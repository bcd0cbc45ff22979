import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { editorSchema } from '../../scripts/lib/editor-schema.ts';

const root = join(import.meta.dirname, '../..');
const json = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8'));
const published = json('schemas/plumb.schema.json');

test('schemas/plumb.schema.json is made of the entry’s schema: npm run docs', () => {
  expect(published).toEqual(editorSchema(json('schemas/network-config.schema.json')));
});

describe('what it says about files', () => {
  const validate = new Ajv({ strict: false, allErrors: true }).compile(published);
  const faultsOf = (document: unknown): string[] => {
    validate(document);
    return (validate.errors ?? []).map(({ instancePath, keyword }) => `${instancePath} ${keyword}`);
  };
  const list = (entry: object): object => ({ cniVersion: '1.1.0', name: 'x', plugins: [entry] });
  const ipam = { type: 'host-local', ranges: [[{ subnet: '10.1.0.0/16' }]] };

  test.each(readdirSync(join(root, 'conf')))('the example %s is good', (file) => {
    expect(faultsOf(json(`conf/${file}`))).toEqual([]);
  });

  test('lists and single configurations, whatever other plugins have', () => {
    expect(faultsOf(list({ type: 'plumb', ipam }))).toEqual([]);
    expect(faultsOf({ cniVersion: '1.1.0', name: 'x', type: 'plumb', ipam })).toEqual([]);
    expect(faultsOf(list({ type: 'bridge', mtu: 'much' }))).toEqual([]);
  });

  test('faults are found, also inside', () => {
    expect(faultsOf({})).toEqual(expect.arrayContaining([' required', ' required']));
    expect(faultsOf(list({}))).toContain('/plugins/0 required');
    expect(faultsOf(list({ type: 'plumb' }))).toContain('/plugins/0 required');
    expect(faultsOf(list({ type: 'plumb', mtu: 'much', ipam }))).toContain('/plugins/0/mtu type');
    expect(faultsOf(list({ type: 'plumb', capabilities: { bandwidth: 1 }, ipam }))).toContain(
      '/plugins/0/capabilities/bandwidth type',
    );
    const wrong = { ...ipam, ranges: [[]] };
    expect(faultsOf(list({ type: 'plumb', ipam: wrong }))).toContain('/plugins/0/ipam/ranges/0 minItems');
  });
});

test('each key in it has a hover text', () => {
  const silent: string[] = [];
  const visit = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const [key, value] of Object.entries(node)) {
      if (path.endsWith('/properties') && !/\/(if|then|not)\//.test(path) && typeof value.title !== 'string')
        silent.push(`${path}/${key}`);
      visit(value, `${path}/${key}`);
    }
  };
  visit(published, '');
  expect(silent).toEqual([]);
});
