import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Folder of the material that lies beside some checkouts: a conformance runner and recipes for real clients. */
export const SHARED = join(import.meta.dirname, '../../../shared');

/** Whether a file of it is there; where it is not, what the skipped test says about it. */
export function shared(path: string): { readonly path: string; readonly missing: boolean } {
  const full = join(SHARED, path);
  const missing = !existsSync(full);
  if (missing) console.warn(`skipped: ../shared/${path} is not beside this checkout`);
  return { path: full, missing };
}

/** Folder of the reference plugins (`PLUMB_REFERENCE`, set by scripts/test; else Debian's own). */
export const REFERENCE = process.env['PLUMB_REFERENCE'] ?? '/usr/lib/cni';
