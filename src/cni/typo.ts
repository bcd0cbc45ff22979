/**
 * The known key that `key` was probably meant to be: one that differs only in case, or by one edit (two in long
 * words; a swap of neighbours counts as one). Undefined for keys of up to three letters, too short to tell,
 * and for keys with a dot or slash, which are other people's namespaces.
 */
export function meantKey(key: string, candidates: readonly string[]): string | undefined {
  if (/[./]/.test(key)) return undefined;
  const lower = key.toLowerCase();
  const sameLetters = candidates.find((candidate) => candidate.toLowerCase() === lower);
  if (sameLetters !== undefined) return sameLetters;
  if (key.length <= 3 || key.length > 40) return undefined;
  const allowance = (candidate: string): number => (candidate.length >= LONG_WORD ? 2 : 1);
  return candidates.find((candidate) => distance(lower, candidate.toLowerCase()) <= allowance(candidate));
}

const LONG_WORD = 6;

/** Edits between two words: insertions, deletions, replacements, swaps of neighbours (optimal string alignment). */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped =
        a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (beforeLast[j - 2] ?? 0) + 1 : replaced;
      row.push(Math.min(replaced, swapped, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
