const LEAST = 12;

/** The beginning of each container id that tells it from the others, of 12 characters at least. */
export function shortIds(ids: Iterable<string>): Map<string, string> {
  const sorted = [...new Set(ids)].sort();
  return new Map(
    sorted.map((id, i) => {
      const [before = '', after = ''] = [sorted[i - 1], sorted[i + 1]];
      const length = Math.max(LEAST, sharedLength(id, before) + 1, sharedLength(id, after) + 1);
      return [id, id.slice(0, length)];
    }),
  );
}

function sharedLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}
