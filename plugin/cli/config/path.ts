import { formatPath } from '../../../src/cni/validate.ts';

/** The way to a value in a JSON document: keys of objects and indexes of lists. */
export type Path = readonly (string | number)[];

/** Parses what {@link formatPath} makes: `ipam.ranges[0][0].subnet`, `sysctl["net.core.somaxconn"]`. */
export function parsePath(text: string): Path {
  if (text === formatPath([])) return [];
  return [...text.matchAll(/\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|([^.[\]]+)/g)].map(
    ([, index, quoted, word = '']) => {
      if (index !== undefined) return Number(index);
      return quoted === undefined ? word : String(JSON.parse(quoted));
    },
  );
}

/** The reverse of {@link parsePath}. */
export function showPath(path: Path): string {
  return formatPath(path.map(String));
}

/** The value at `path`; undefined when there is none. */
export function valueAt(value: unknown, path: Path): unknown {
  let node = value;
  for (const step of path) {
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, step)) return undefined;
    node = Reflect.get(node, step);
  }
  return node;
}
