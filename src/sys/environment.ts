import { readFileSync } from './fs.ts';

/**
 * The environment that this process was started with, from /proc/self/environ.
 *
 * The runtimes inside the executables are cut off from the environment when they are built, so that nothing in it
 * acts before the program does: to them `process.env` is empty. Programs are started by {@link runProgram}. Of a name that stands there twice the first counts, as with getenv(3).
 *
 * Throws {@link SyscallError} when /proc is not mounted.
 * @see proc_pid_environ(5)
 */
export function readEnvironment(): Readonly<Record<string, string>> {
  return parseEnviron(readFileSync('/proc/self/environ'));
}

/** Parses the `NAME=value` strings of /proc/PID/environ, each of which ends with NUL; what is none is passed over. */
export function parseEnviron(text: string): Readonly<Record<string, string>> {
  const environment: Record<string, string> = Object.create(null);
  for (const entry of text.split('\0')) {
    const equals = entry.indexOf('=');
    if (equals <= 0) continue;
    environment[entry.slice(0, equals)] ??= entry.slice(equals + 1);
  }
  return environment;
}

/**
 * The name that this process was called by: the last part of the first argument, as its caller chose it, from
 * /proc/self/cmdline. The runtimes inside the executables put their own in its place.
 *
 * Throws {@link SyscallError} when /proc is not mounted.
 * @see proc_pid_cmdline(5)
 */
export function readProgramName(): string {
  const [path = ''] = readFileSync('/proc/self/cmdline').split('\0', 1);
  return path.slice(path.lastIndexOf('/') + 1);
}
