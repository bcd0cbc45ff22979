import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isHostLocal, isStatic, validateConfig } from '../../src/cni/generated/validate-config.js';
import {
  validateResult020,
  validateResult030,
  validateResult100,
} from '../../src/cni/generated/validate-result.js';
import { isAttachmentRecord } from '../../src/state/generated/validate-record.js';

const root = join(import.meta.dirname, '../..');

type Node = Readonly<Record<string, unknown>>;

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readSchema(name: string): Node {
  const schema: unknown = JSON.parse(readFileSync(join(root, `schemas/${name}.schema.json`), 'utf8'));
  if (!isNode(schema)) throw new Error(`${name} is no schema`);
  return schema;
}

const odd = fc.oneof(
  fc.constantFrom(null, '', 0, 1, -1, 7, 65536, 2 ** 32, 1.5, true, '/run', 'a/b'),
  fc.constantFrom({}, [], [null], { type: 'static' }),
  fc.jsonValue({ maxDepth: 1 }),
);

/** Values that a schema may well accept, and may not: at every place something else stands now and then. */
function valuesFor(schema: Node): (node: unknown) => fc.Arbitrary<unknown> {
  const definitions = isNode(schema['definitions']) ? schema['definitions'] : {};
  const visit = (node: unknown): fc.Arbitrary<unknown> =>
    fc.oneof({ arbitrary: expected(node), weight: 30 }, { arbitrary: odd, weight: 1 });
  const expected = (node: unknown): fc.Arbitrary<unknown> => {
    if (!isNode(node)) return odd;
    const ref = node['$ref'];
    if (typeof ref === 'string')
      return fc.constant(null).chain(() => visit(definitions[ref.slice('#/definitions/'.length)]));
    if ('const' in node) return fc.constant(node['const']);
    if (Array.isArray(node['enum'])) return fc.constantFrom<unknown[]>(...node['enum']);
    const type = [node['type']].flat()[0];
    if (isNode(node['properties'])) {
      const { properties } = node;
      const required: unknown[] = Array.isArray(node['required']) ? node['required'] : [];
      // Now and then something required is missing.
      const kept = fc.subarray(required, { minLength: Math.max(0, required.length - 1) });
      const keys = Object.keys(properties);
      const others = fc.subarray(keys, { maxLength: Math.min(5, keys.length) });
      return fc
        .tuple(fc.oneof({ arbitrary: fc.constant(required), weight: 9 }, kept), others)
        .chain(([some, more]) =>
          fc.record(Object.fromEntries([...some, ...more].map((key) => [key, visit(properties[`${key}`])]))),
        );
    }
    if (type === 'array') return fc.array(visit(node['items']), { maxLength: 2 });
    if (type === 'object') return fc.constant({});
    if (type === 'boolean') return fc.boolean();
    if (type === 'integer') return fc.constantFrom(0, 1, 8, 253, 255, 1400, 65535);
    if (type === 'string')
      return fc.constantFrom('host-local', 'static', '/run/x', 'plumb', '10.0.0.0/8', '10.0.0.1');
    return odd;
  };
  return visit;
}

const config = readSchema('network-config');
const result = readSchema('result');
const record = readSchema('attachment-record');
const definition = (schema: Node, name: string): unknown =>
  isNode(schema['definitions']) ? schema['definitions'][name] : undefined;

const CONFIG = 'cni/generated/brief/validate-config.js';
const RESULT = 'cni/generated/brief/validate-result.js';
const RECORD = 'state/generated/brief/validate-record.js';

test.each([
  ['validateConfig', validateConfig, CONFIG, config, config],
  ['isHostLocal', isHostLocal, CONFIG, config, definition(config, 'hostLocal')],
  ['isStatic', isStatic, CONFIG, config, definition(config, 'static')],
  ['validateResult020', validateResult020, RESULT, result, definition(result, 'result020')],
  ['validateResult030', validateResult030, RESULT, result, definition(result, 'result030')],
  ['validateResult100', validateResult100, RESULT, result, definition(result, 'result100')],
  ['isAttachmentRecord', isAttachmentRecord, RECORD, record, record],
] as const)('%s without reasons says the same as with them', async (name, validator, file, schema, node) => {
  const module: Readonly<Record<string, unknown>> = await import(join(root, 'src', file));
  const brief = module[name];
  if (typeof brief !== 'function') throw new Error(`${file} has no ${name}`);
  const answers = { true: 0, false: 0 };
  fc.assert(
    fc.property(valuesFor(schema)(node), (value) => {
      const answer = validator(value);
      answers[`${answer}`]++;
      expect(brief(value)).toBe(answer);
    }),
    { numRuns: 1000 },
  );
  // Both happen often.
  expect(Math.min(answers.true, answers.false)).toBeGreaterThan(50);
});
