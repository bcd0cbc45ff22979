import { type Stats, statSync } from './fs.ts';

/** What `path` leads to; undefined also where that cannot be found out. */
export function statOrNothing(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** The first regular file of that name in the folders; a folder that may not be entered, or is none, is passed over. */
export function firstFile(
  folders: readonly string[],
  name: string,
): { readonly path: string; readonly file: Stats } | undefined {
  for (const folder of folders) {
    const path = `${folder}/${name}`;
    const file = statOrNothing(path);
    if (file?.isFile === true) return { path, file };
  }
  return undefined;
}
