import { isIdentifier } from './identifier.ts';

// A regular expression costs about 50 µs when it is used for the first time, and an ADD uses each of these once.
const MATCHERS: Readonly<Record<string, (text: string) => boolean>> = {
  '^[A-Za-z0-9][A-Za-z0-9_.-]*$': isIdentifier,
  '^[^/\\u0000]+$': isFileName,
  '^(?!\\.{1,2}$)[^/\\u0000]+$': (text) => isFileName(text) && text !== '.' && text !== '..',
  '^(?:/[^\\u0000]*)?$': isFolder,
  '^(?:stderr|syslog|journal|(?:/[^\\u0000]*)?)$': (text) =>
    text === 'stderr' || text === 'syslog' || text === 'journal' || isFolder(text),
};

function isFolder(text: string): boolean {
  return text === '' || (text.startsWith('/') && !text.includes('\0'));
}

function isFileName(text: string): boolean {
  return text !== '' && !text.includes('/') && !text.includes('\0');
}

/**
 * What stands for a `pattern` of the JSON Schemas in the validators that are generated from them. Throws an `Error`,
 * when they are generated, for a pattern that has no function here.
 */
export function matcher(pattern: string): { test(text: string): boolean } {
  const test = MATCHERS[pattern];
  if (test === undefined) throw new Error(`src/cni/patterns.ts knows no pattern ${pattern}`);
  return { test };
}

/** The patterns that {@link matcher} knows. */
export const PATTERNS: readonly string[] = Object.keys(MATCHERS);
