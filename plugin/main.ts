import { readFileSync, writeSync } from 'node:fs';
import { isErrno } from '../src/errors.ts';
import { readEnvironment } from '../src/sys/environment.ts';
import { exitImmediately, isLoaded } from '../src/sys/libc.ts';
import { dispatch } from './dispatch.ts';

// The process edge: the only place that knows environment, standard streams and exit code.

function readStdin(): string {
  try {
    return readFileSync(0, 'utf8');
  } catch (error) {
    // Closed by the caller: the same as empty, which the door answers.
    if (isErrno(error, 'EBADF', 'EAGAIN')) return '';
    throw error;
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4));

function writeAll(text: string): void {
  const data = new TextEncoder().encode(text);
  for (let offset = 0; offset < data.length; ) {
    try {
      offset += writeSync(1, data, offset);
    } catch (error) {
      // A pipe that is set non-blocking and full: wait for its reader.
      if (!isErrno(error, 'EAGAIN')) throw error;
      Atomics.wait(pause, 0, 0, 2);
    }
  }
}

const reply = dispatch(readEnvironment(), readStdin);
let { exitCode } = reply;
try {
  writeAll(reply.stdout);
} catch {
  // A runtime that did not get the result has no attachment.
  reply.undo?.run();
  exitCode = 1;
}
// Where the library is loaded the process ends by _exit(2): the runtime's own way out takes longer.
if (isLoaded()) exitImmediately(exitCode);
process.exit(exitCode);
