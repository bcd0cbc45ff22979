/** How a program ended, and what it printed. */
export interface Ended {
  /** Exit status; null when a signal ended it. */
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
}

const MOST_OUTPUT = 16 * 1024 * 1024;

/**
 * Runs a program to its end, in the calling thread's namespaces, with `input` on its standard input and nothing but
 * `environment` as its environment; what it writes to standard error goes to ours.
 *
 * Throws Node's own error (with `code`) when it cannot be started, and ENOBUFS, after killing it, when it prints
 * more than 16 MiB.
 */
export function runProgram(
  path: string,
  input: string,
  environment: Readonly<Record<string, string | undefined>>,
): Ended {
  // Few calls need it, and it takes milliseconds to load.
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const { status, signal, stdout, error } = spawnSync(path, [], {
    encoding: 'utf8',
    env: { ...environment },
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
