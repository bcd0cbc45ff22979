import { isObject } from '../src/cni/document.ts';
import { CniError, ErrIOFailure } from '../src/cni/error.ts';
import { errorMessage } from '../src/errors.ts';
import { type Ended, runProgram } from '../src/sys/program.ts';

/**
 * Runs another CNI plugin and returns what it printed. `who` names it in errors, `variables` are CNI_COMMAND and whatever
 * else it needs beside our own environment.
 *
 * Throws {@link CniError}: the plugin's own; 5 when it cannot be run; 104 when it fails without an error object.
 */
export function runPlugin(
  who: string,
  path: string,
  document: string,
  variables: Readonly<Record<string, string>> & { readonly CNI_COMMAND: string },
): string {
  let ended: Ended;
  try {
    ended = runProgram(path, document, variables);
  } catch (error) {
    throw new CniError(ErrIOFailure, `${who}: run ${path}: ${errorMessage(error)}`, '', { cause: error });
  }
  const { status, signal, stdout } = ended;
  if (status === 0) return stdout;
  const own = status === null ? undefined : errorOf(stdout);
  if (own !== undefined) throw new CniError(own.code, `${who}: ${own.msg}`, own.details);
  const how = status === null ? `was killed by ${signal ?? 'a signal'}` : `failed with exit status ${status}`;
  throw brokenPlugin(
    `${who}: ${path} ${how} in ${variables.CNI_COMMAND} and printed no error object`,
    shownOutput(stdout),
  );
}

/** The error for a plugin that fails without an error object, or succeeds without a result. */
export function brokenPlugin(message: string, details = '', options?: ErrorOptions): CniError {
  return new CniError(104, message, details, options);
}

function errorOf(
  stdout: string,
): { readonly code: number; readonly msg: string; readonly details: string } | undefined {
  const value = parseJson(stdout);
  if (!isObject(value)) return undefined;
  const { code, msg, details } = value;
  if (typeof code !== 'number' || !Number.isInteger(code) || code <= 0 || typeof msg !== 'string')
    return undefined;
  return { code, msg, details: typeof details === 'string' ? details : '' };
}

/** What a plugin printed, as JSON; undefined if it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const MOST_SHOWN = 1000;

/** What a plugin printed, for the details of an error. */
export function shownOutput(stdout: string): string {
  const text = stdout.trim().slice(0, MOST_SHOWN);
  return text === '' ? '' : `it printed: ${text}`;
}
