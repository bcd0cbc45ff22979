import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

/** The package in a folder as `name@version`. Throws an `Error` when its package.json does not say. */
export function packageIn(folder: string): string {
  const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (typeof manifest === 'object' && manifest !== null && 'name' in manifest && 'version' in manifest)
    return `${manifest.name}@${manifest.version}`;
  throw new Error(`${folder}/package.json has no name or version`);
}

/** The npm packages of which something is in a bundle, as `name@version`; `root` is the folder that esbuild worked in. */
export function packagesInBundle(metafile: Metafile, root: string): string[] {
  const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs));
  const folders = inputs.flatMap(([path, { bytesInOutput }]) =>
    bytesInOutput === 0 ? [] : (/^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []),
  );
  return [...new Set(folders)].map((folder) => packageIn(join(root, folder)));
}
