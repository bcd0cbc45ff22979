import { expect } from 'vitest';
import { CniError } from '../../src/cni/error.ts';

/** Runs `fn`, which must throw a CniError, and gives that error. */
export function cniErrorOf(fn: () => unknown): CniError {
  try {
    fn();
  } catch (error) {
    if (error instanceof CniError) return error;
    throw error;
  }
  return expect.fail('nothing was thrown');
}
