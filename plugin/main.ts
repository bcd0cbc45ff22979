import { Elsewhere } from '../src/elsewhere.ts';
import { isErrno } from '../src/errors.ts';
import { readEnvironment, readProgramName } from '../src/sys/environment.ts';
import { readToEnd, writeSync } from '../src/sys/fs.ts';
import { exitImmediately, isLoaded } from '../src/sys/libc.ts';
import { dispatch } from './dispatch.ts';
import { loadCli, loadWhole } from './load.ts';

// The process edge: the only place that knows environment, standard streams and exit code.

/** Set in the build that notes the order of its functions: the runtime writes that down on its own way out. */
declare const RECORDS_ORDER: true | undefined;

const STDIN = 0;
const STDOUT = 1;

let input: string | undefined;

function readStdin(): string {
  try {
    input ??= readToEnd(STDIN, 'standard input');
    return input;
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

function answerRuntime(answer: typeof dispatch): never {
  const reply = answer(() => environment ?? readEnvironment(), readStdin, readProgramName);
  let { exitCode } = reply;
  try {
    writeStdout(reply.stdout);
  } catch {
    // A runtime that did not get the result has no attachment.
    reply.undo?.run();
    exitCode = 1;
  }
  // The runtime's own way out takes longer.
  if (isLoaded() && typeof RECORDS_ORDER === 'undefined') exitImmediately(exitCode);
  process.exit(exitCode);
}

/** Whether a person calls: without the variable that every runtime sets, and with arguments or from a terminal. */
function isByHand(environment: Readonly<Record<string, string>>): boolean {
  if (environment['CNI_COMMAND'] !== undefined) return false;
  return process.argv.length > 2 || process.getBuiltinModule('node:tty').isatty(STDIN);
}

const environment = tryReadEnvironment();
if (environment !== undefined && isByHand(environment)) {
  loadCli()
    .then((cli) => cli.run(process.argv.slice(2)))
    .then((exitCode) => {
      process.exitCode = exitCode;
    });
} else {
  try {
    answerRuntime(dispatch);
  } catch (error) {
    if (!(error instanceof Elsewhere)) throw error;
    loadWhole().then((whole) => answerRuntime(whole.dispatch));
  }
}
