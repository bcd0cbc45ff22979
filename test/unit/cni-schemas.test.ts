import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

test.each(['validate-config.js', 'validate-result.js'])('%s needs nothing at run time', (file) => {
  const code = readFileSync(join(root, 'src/cni/generated', file), 'utf8');
  expect(code).not.toMatch(/\bimport\b\s*[{*"'(]|\brequire\s*\(/);
});

test.each(['network-config', 'result'])('every value in %s.schema.json says what is allowed', (name) => {
  const schema: unknown = JSON.parse(readFileSync(join(root, 'schemas', `${name}.schema.json`), 'utf8'));
  const silent: string[] = [];
  const visit = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null) return;
    // The type of a condition ("if", "not") is not reported to anybody.
    const isReported = 'type' in node && !/\/(if|not)(\/|$)/.test(path) && !path.endsWith('/properties');
    if (isReported && !('description' in node)) silent.push(path);
    for (const [key, value] of Object.entries(node)) visit(value, `${path}/${key}`);
  };
  visit(schema, '');
  expect(silent).toEqual([]);
});
