import { isErrno } from '../src/errors.ts';
import { readEnvironment, readProgramName } from '../src/sys/environment.ts';
import { readToEnd, writeSync } from '../src/sys/fs.ts';
import { exitImmediately, isLoaded } from '../src/sys/libc.ts';
import { loadCli } from './cli/load.ts';
import { dispatch } from './dispatch.ts';

// The process edge: the only place that knows environment, standard streams and exit code.

const STDIN = 0;
const STDOUT = 1;

function readStdin(): string {
  try {
    return readToEnd(STDIN, 'standard input');
  } catch (error) {
    // Closed by the caller: the same as empty, which the door answers.
    if (isErrno(error, 'EBADF')) return '';
    throw error;
  }
}

function writeStdout(text: string): void {
  if (isLoaded()) writeSync(STDOUT, text, 'standard output');
  // The C library could not be reached, which is what the text says.
  else process.getBuiltinModule('node:fs').writeSync(STDOUT, text);
}

/** The environment; undefined where it cannot be read, which {@link dispatch} then says in its own way. */
function tryReadEnvironment(): Readonly<Record<string, string>> | undefined {
  try {
    return readEnvironment();
  } catch {
    return undefined;
  }
}

function answerRuntime(environment: Readonly<Record<string, string>> | undefined): never {
  const reply = dispatch(() => environment ?? readEnvironment(), readStdin, readProgramName);
  let { exitCode } = reply;
  try {
    writeStdout(reply.stdout);
  } catch {
    // A runtime that did not get the result has no attachment.
    reply.undo?.run();
    exitCode = 1;
  }
  // The runtime's own way out takes longer.
  if (isLoaded()) exitImmediately(exitCode);
  process.exit(exitCode);
}

/** Whether a person calls: without the variable that every runtime sets, and with arguments or from a terminal. */
function isByHand(environment: Readonly<Record<string, string>>): boolean {
  if (environment['CNI_COMMAND'] !== undefined) return false;
  return process.argv.length > 2 || process.getBuiltinModule('node:tty').isatty(STDIN);
}

const environment = tryReadEnvironment();
if (environment === undefined || !isByHand(environment)) answerRuntime(environment);
loadCli()
  .then((cli) => cli.run(process.argv.slice(2)))
  .then((exitCode) => {
    process.exitCode = exitCode;
  });
