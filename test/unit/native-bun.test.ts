import { expect, test } from 'vitest';
import { parsePrototype } from '../../src/sys/native-bun.ts';

test('a C prototype becomes a declaration for bun:ffi', () => {
  expect(
    parsePrototype(
      'int64_t sendto(int fd, const uint8_t *data, size_t len, int flags, const uint8_t *addr, uint32_t alen)',
    ),
  ).toEqual({
    name: 'sendto',
    declaration: { args: ['i32', 'ptr', 'u64_fast', 'i32', 'ptr', 'u32'], returns: 'i64_fast' },
  });
  expect(parsePrototype('int ioctl(int fd, unsigned long request, int zero)').declaration.args).toEqual([
    'i32',
    'u64_fast',
    'i32',
  ]);
  expect(() => parsePrototype('double sin(double x)')).toThrow('unknown type double');
});
