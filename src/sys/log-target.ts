import { SyscallError } from '../errors.ts';
import { closeQuietly, openForAppending, writeSync } from './fs.ts';
import * as libc from './libc.ts';

// <bits/socket.h>, <syslog.h>
const AF_UNIX = 1;
const MSG_NOSIGNAL = 0x4000;
const LOG_DAEMON = 3 << 3;

/** How bad it is, by syslog's numbers. */
export const Severity = { error: 3, info: 6 } as const;

/** What is to be told, and how bad it is. */
export interface LogLine {
  readonly severity: (typeof Severity)[keyof typeof Severity];
  readonly text: string;
}

/**
 * Writes one line to `stderr`, `syslog` (/dev/log), `journal` (systemd's socket), or the end of a file. A file is made if it
 * is missing (0600) and opened anew for each line, so that it may be renamed at any time.
 *
 * Throws {@link SyscallError}.
 * @see syslog(3), systemd's "Native Journal Protocol"
 */
export function writeLogLine(target: string, line: LogLine): void {
  const { severity, text } = line;
  if (target === 'stderr') writeSync(2, `${text}\n`, 'standard error');
  else if (target === 'syslog') send('/dev/log', `<${LOG_DAEMON | severity}>plumb: ${text}`);
  else if (target === 'journal') {
    send('/run/systemd/journal/socket', `PRIORITY=${severity}\nSYSLOG_IDENTIFIER=plumb\nMESSAGE=${text}\n`);
  } else {
    const fd = openForAppending(target, 0o600);
    try {
      writeSync(fd, `${text}\n`, target);
    } finally {
      closeQuietly(fd);
    }
  }
}

function send(path: string, text: string): void {
  const utf8 = new TextEncoder();
  // struct sockaddr_un: the family in host order, the path.
  const address = new Uint8Array([AF_UNIX, 0, ...utf8.encode(path), 0]);
  const fd = libc.socket(AF_UNIX, libc.SOCK_DGRAM | libc.SOCK_CLOEXEC, 0);
  try {
    // Who does not read must not hold up a container.
    libc.sendto(fd, utf8.encode(text), MSG_NOSIGNAL | libc.MSG_DONTWAIT, address);
  } catch (error) {
    throw error instanceof SyscallError ? new SyscallError(error.syscall, path, error.errno) : error;
  } finally {
    closeQuietly(fd);
  }
}
