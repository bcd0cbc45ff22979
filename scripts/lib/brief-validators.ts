/**
 * Makes validators of ajv's that say yes or no, and not why, with a fifth of the code: an engine lays all of it out when a
 * call begins. Throws an `Error` where ajv writes in another way than this knows.
 *
 * @param code what ajv's `standaloneCode` has returned
 */
export function briefValidators(code: string): string {
  const brief = withoutReasons(code)
    .split(/(?=function validate\d+\()/)
    .map(withoutErrors)
    .join('');
  refuseRest(brief, /.{0,60}(?:vErrors|instancePath|REASON|\.errors\b).{0,60}/);
  return brief;
}

/** Replaces the objects that say what was refused and why. */
function withoutReasons(code: string): string {
  const pieces: string[] = [];
  let from = 0;
  for (const { index } of code.matchAll(/\{instancePath:instancePath|\{instancePath,/g)) {
    if (index < from) continue;
    pieces.push(code.slice(from, index), 'REASON');
    from = endOfObject(code, index);
  }
  return `${pieces.join('')}${code.slice(from)}`;
}

/** Where the object literal ends that begins at `start`. */
function endOfObject(code: string, start: number): number {
  let depth = 0;
  for (const { 0: token, index } of code.slice(start).matchAll(/"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (token === '{') depth++;
    else if (token === '}' && --depth === 0) return start + index + 1;
  }
  throw new Error('ajv wrote an object without an end');
}

type Change = readonly [RegExp, string];

/** Takes the list of errors away, and keeps their number. */
const LISTS: readonly Change[] = [
  [/\{instancePath="", parentData, parentDataProperty, rootData=data\}=\{\}/g, ''],
  [/, REASON\)/g, ')'],
  [
    /vErrors = vErrors === null \? (validate\d+)\.errors : vErrors\.concat\(\1\.errors\);errors = vErrors\.length;/g,
    'errors++;',
  ],
  [
    /const (err\d+) = (?:REASON|\{\});if\(vErrors === null\)\{vErrors = \[\1\];\}else \{vErrors\.push\(\1\);\}/g,
    '',
  ],
  [/if\(vErrors !== null\)\{if\(_errs\d+\)\{vErrors\.length = _errs\d+;\}else \{vErrors = null;\}\}/g, ''],
  [/validate\d+\.errors = (?:vErrors|\[REASON\]);/g, ''],
  [/let vErrors = null;|let missing\d+;/g, ''],
  [/missing\d+ = ("[^"]+")/g, '$1'],
];

/** Takes the number away too, where each error refuses the whole. */
const NUMBERS: readonly Change[] = [
  [/errors\+\+;/g, 'return false;'],
  [/(?:const|let) _?errs\d+ = errors;|let errors = 0;/g, ''],
  [/errors === (?:_errs\d+|0)|_errs\d+ === errors/g, 'true'],
  [/(?:var|let) valid\d+ = true;|if\(!valid\d+\)\{break;\}/g, ''],
  [/if\(valid\d+\)/g, 'if(true)'],
];

function withoutErrors(text: string): string {
  // An error gets a name where it may come to nothing: below "not" and "if".
  const mayComeToNothing = /const err\d+ =/.test(text);
  const changed = apply(text, LISTS);
  if (mayComeToNothing) return changed;
  const brief = apply(changed, NUMBERS);
  refuseRest(brief, /.{0,60}(?:errors|errs|valid\d).{0,60}/);
  return brief;
}

function apply(text: string, changes: readonly Change[]): string {
  return changes.reduce((code, [pattern, replacement]) => code.replace(pattern, replacement), text);
}

function refuseRest(code: string, rest: RegExp): void {
  const found = rest.exec(code);
  if (found !== null) throw new Error(`ajv writes its errors in another way now: ${found[0]}`);
}
