import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Compiles a C program of this folder, unless that is done already, and returns its path. Throws an `Error` without gcc. */
export function compiled(name: string): string {
  const program = `/run/${name}`;
  if (existsSync(program)) return program;
  const source = join(import.meta.dirname, `${name}.c`);
  const { status, error } = spawnSync('gcc', ['-O2', '-o', program, source], { stdio: 'inherit' });
  if (status !== 0)
    throw new Error(`gcc, which compiles ${name}.c, failed${error ? `: ${error.message}` : ''}`);
  return program;
}
