import { readEnvironment } from './environment.ts';
import * as libc from './libc.ts';

/** How a program ended, and what it printed. */
export interface Ended {
  /** Exit status; null when a signal ended it. */
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
}

const MOST_OUTPUT = 16 * 1024 * 1024;

/**
 * Runs a program to its end, in the calling thread's namespaces, with `input` on its standard input; what it writes to
 * standard error goes to ours. Its environment is the one that this process was started with, but for `changes`.
 *
 * Throws Node's own error (with `code`) when it cannot be started, and ENOBUFS, after killing it, when it prints
 * more than 16 MiB; {@link SyscallError} when there is no memory for the changes.
 */
export function runProgram(path: string, input: string, changes: Readonly<Record<string, string>>): Ended {
  // In the Node executable libuv would put the child's environment where nobody reads it (scripts/lib/blind-environment.ts)
  // and exec(3) takes the C library's; Bun hands over what it is given.
  for (const [name, value] of Object.entries(changes)) libc.setenv(name, value);
  // Few calls need it, and it takes milliseconds to load.
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const { status, signal, stdout, error } = spawnSync(path, [], {
    encoding: 'utf8',
    env: { ...readEnvironment(), ...changes },
    input,
    maxBuffer: MOST_OUTPUT,
    stdio: ['pipe', 'pipe', 'inherit'],
    killSignal: 'SIGKILL',
  });
  // EPIPE: it ended without having read all that it was given, which is its own affair.
  const ended = status !== null || signal !== null;
  if (error !== undefined && !(ended && 'code' in error && error.code === 'EPIPE')) throw error;
  return { status, signal, stdout };
}
