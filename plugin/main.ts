import { isErrno } from '../src/errors.ts';
import { readEnvironment, readProgramName } from '../src/sys/environment.ts';
import { readToEnd, writeSync } from '../src/sys/fs.ts';
import { exitImmediately, isLoaded } from '../src/sys/libc.ts';
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

const reply = dispatch(readEnvironment, readStdin, readProgramName);
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
