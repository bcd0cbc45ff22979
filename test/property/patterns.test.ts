import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matcher, PATTERNS } from '../../src/cni/patterns.ts';

const telling = fc.string({ unit: fc.constantFrom('a', 'Z', '5', '_', '.', '-', '/', '\0', ' ', 'é', '\n') });

test.each(PATTERNS)('the function for %s accepts what the pattern accepts', (pattern) => {
  const expression = new RegExp(pattern, 'u');
  fc.assert(
    fc.property(fc.oneof(telling, fc.string({ unit: 'binary' })), (text) => {
      expect(matcher(pattern).test(text)).toBe(expression.test(text));
    }),
    { numRuns: 2000 },
  );
});
