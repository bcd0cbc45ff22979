import { expect, test } from 'vitest';
import { CniError, encodeError } from '../../src/cni/error.ts';
import { atLeast, isSupported, SUPPORTED_VERSIONS } from '../../src/cni/versions.ts';

test('every released version is supported, and no other', () => {
  for (const version of ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0']) {
    expect(isSupported(version)).toBe(true);
  }
  for (const version of ['', '0.3.2', '1.2.0', '1.1', '1.1.0.0', ' 1.1.0', '1.1.0\n', 'toString']) {
    expect(isSupported(version)).toBe(false);
  }
});

test('versions are ordered as they were released', () => {
  for (const [i, newer] of SUPPORTED_VERSIONS.entries()) {
    for (const [j, older] of SUPPORTED_VERSIONS.entries()) expect(atLeast(newer, older)).toBe(i >= j);
  }
});

test('an error object has version, code and msg, and details only when there are some', () => {
  expect(JSON.parse(encodeError(new CniError(7, 'bad'), '1.0.0'))).toEqual({
    cniVersion: '1.0.0',
    code: 7,
    msg: 'bad',
  });
  expect(JSON.parse(encodeError(new CniError(11, 'later', 'the lock is held'), '1.1.0'))).toEqual({
    cniVersion: '1.1.0',
    code: 11,
    msg: 'later',
    details: 'the lock is held',
  });
});

test('an error keeps its cause', () => {
  const cause = new Error('why');
  expect(new CniError(5, 'failed', '', { cause }).cause).toBe(cause);
});
