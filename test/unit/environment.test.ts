import { expect, test } from 'vitest';
import { parseEnviron, readEnvironment } from '../../src/sys/environment.ts';

test('an environ block becomes names and values', () => {
  expect({ ...parseEnviron('A=1\0CNI_ARGS=K=V;L=W\0EMPTY=\0') }).toEqual({
    A: '1',
    CNI_ARGS: 'K=V;L=W',
    EMPTY: '',
  });
});

test('the first of two entries counts, as with getenv(3); what is no entry is passed over', () => {
  expect({ ...parseEnviron('A=first\0A=second\0=none\0nothing\0\0') }).toEqual({ A: 'first' });
});

test('names that objects have anyway are names like any other', () => {
  const environment = parseEnviron('__proto__=x\0constructor=y\0');
  expect(Object.entries(environment)).toEqual([
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
  expect(environment['toString']).toBeUndefined();
});

test('reads the environment that the process was started with', () => {
  expect(readEnvironment()['PATH']).toBe(process.env['PATH']);
});
