import { ConfigError } from '../errors.ts';

/** The part of ajv's error object that is used here. */
export interface ValidatorError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** The value that was refused. */
  readonly data: unknown;
  /** The schema that refused it. */
  readonly parentSchema: unknown;
}

/** A validator that scripts/build-schemas.ts generated; after a refusal `errors` says why. */
export interface Validator<T> {
  (data: unknown): data is T;
  errors?: readonly ValidatorError[] | null;
}

/** What stands where a value is missing, as opposed to null. */
export const MISSING = Symbol('missing');

/**
 * The error for a value that is not allowed.
 *
 * @param path dotted, such as `ipam.ranges[0][0].subnet`
 * @param value what stands there; {@link MISSING} for nothing
 * @param allowed in words
 */
export function notAllowed(path: string, value: unknown, allowed: string): ConfigError {
  return new ConfigError(
    path,
    `${value === MISSING ? 'missing' : `${show(value)} is not allowed`}; allowed: ${allowed}`,
  );
}

/**
 * The error for what `validator` has just refused, with the schema's own description of what is allowed.
 *
 * @param prefix path of the validated value, when it is a part of the document
 */
export function refusal<T>(validator: Validator<T>, prefix = ''): ConfigError {
  const error = validator.errors?.[0];
  if (error === undefined) return notAllowed(prefix, MISSING, 'a value that the schema accepts');
  const keys = pointerKeys(error.instancePath);
  const property = error.keyword === 'required' ? error.params['missingProperty'] : undefined;
  if (typeof property !== 'string') {
    return notAllowed(formatPath(keys, prefix), error.data, description(error.parentSchema, []));
  }
  // The parent of "required" under "then" has no properties of its own.
  return notAllowed(
    formatPath([...keys, property], prefix),
    MISSING,
    description(error.parentSchema, ['properties', property]),
  );
}

/** `['ipam', 'ranges', '0']` as `ipam.ranges[0]`; keys that are no plain words stand in brackets and quotes. */
export function formatPath(keys: readonly string[], prefix = ''): string {
  let path = prefix;
  for (const key of keys) {
    if (/^\d+$/.test(key)) path += `[${key}]`;
    else if (/^\w+$/.test(key)) path += path === '' ? key : `.${key}`;
    else path += `[${JSON.stringify(key)}]`;
  }
  return path === '' ? 'the document' : path;
}

function pointerKeys(pointer: string): string[] {
  const keys = pointer.split('/').slice(1);
  return keys.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function description(schema: unknown, keys: readonly string[]): string {
  let node = schema;
  for (const key of [...keys, 'description']) {
    node = typeof node === 'object' && node !== null ? Reflect.get(node, key) : undefined;
  }
  return typeof node === 'string' ? node : 'what the schema describes';
}

const MAX_SHOWN = 80;

function show(value: unknown): string {
  // Only the outside of a value that is nested is shown: it may be huge, or too deep to be turned into text.
  if (Array.isArray(value)) return value.length === 0 ? '[]' : 'a list';
  if (typeof value === 'object' && value !== null)
    return Object.keys(value).length === 0 ? '{}' : 'an object';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}
