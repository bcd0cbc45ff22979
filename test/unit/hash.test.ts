import { expect, test } from 'vitest';
import { fnv1a64 } from '../../src/hash.ts';

// The authors' own test vectors (Fowler, Noll, Vo).
test.each([
  ['', 'cbf29ce484222325'],
  ['a', 'af63dc4c8601ec8c'],
  ['foobar', '85944171f73967e8'],
])('FNV-1a of %j', (text, hash) => {
  expect(fnv1a64(text)).toBe(hash);
});
