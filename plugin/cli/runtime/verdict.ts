import { CniError } from '../../../src/cni/error.ts';
import { ExitCode } from '../exit-code.ts';
import type { Output } from '../output.ts';
import { FoundWrongError } from './call-list.ts';

/** Prints what `ask` finds: nothing wrong, in the words of `fine`, or the fault, for which the exit code is 1. */
export function verdict(out: Output, fine: string, ask: () => void): void {
  try {
    ask();
  } catch (error) {
    if (!(error instanceof FoundWrongError)) throw error;
    const code = error.cause instanceof CniError ? error.cause.code : null;
    out.data({ ok: false, code, message: error.message }, () => out.style('red', error.message));
    out.exitCode = ExitCode.wrong;
    return;
  }
  out.data({ ok: true, code: null, message: null }, () => fine);
}
