import { SyscallError } from '../errors.ts';
import * as libc from './libc.ts';

// <poll.h>
const POLLIN = 1;
const POLLOUT = 4;

/**
 * What came of a probe: `answered`, `silent` (nothing came in time), or the errno name that the kernel gave, such as
 * `ECONNREFUSED` (somebody answered that nobody listens) or `EHOSTUNREACH`.
 */
export type ProbeOutcome = string;

/**
 * Sends one real packet from the network namespace that the calling thread is in, and waits for an answer: with `tcp` a
 * connection is made and closed at once, with `udp` one empty byte is sent, to which most servers do not answer.
 * `address` has 4 or 16 bytes. Blocks for `timeoutMs` at most. Throws {@link SyscallError} if no socket is to be had.
 */
export function probe(
  protocol: 'tcp' | 'udp',
  address: Uint8Array,
  port: number,
  timeoutMs: number,
): ProbeOutcome {
  const family = address.length === 4 ? libc.AF_INET : libc.AF_INET6;
  const type = protocol === 'tcp' ? libc.SOCK_STREAM : libc.SOCK_DGRAM;
  const fd = libc.socket(family, type | libc.SOCK_NONBLOCK | libc.SOCK_CLOEXEC, 0);
  try {
    return protocol === 'tcp'
      ? connectTo(fd, sockaddr(family, address, port), timeoutMs)
      : sendTo(fd, sockaddr(family, address, port), timeoutMs);
  } finally {
    libc.close(fd);
  }
}

function connectTo(fd: number, to: Uint8Array, timeoutMs: number): ProbeOutcome {
  const first = libc.connect(fd, to);
  if (first >= 0) return 'answered';
  if (first !== -libc.EINPROGRESS) return nameOf(-first);
  if (!isReady(fd, POLLOUT, timeoutMs)) return 'silent';
  // Asked again, it tells what became of it.
  const second = libc.connect(fd, to);
  return second >= 0 || second === -libc.EISCONN ? 'answered' : nameOf(-second);
}

function sendTo(fd: number, to: Uint8Array, timeoutMs: number): ProbeOutcome {
  const connected = libc.connect(fd, to);
  const sent = connected < 0 ? connected : libc.write(fd, Uint8Array.of(0));
  if (sent < 0) return nameOf(-sent);
  if (!isReady(fd, POLLIN, timeoutMs)) return 'silent';
  const received = libc.read(fd, new Uint8Array(1));
  if (received === -libc.EAGAIN) return 'silent';
  return received >= 0 ? 'answered' : nameOf(-received);
}

/** Waits until a descriptor has what `events` asks for, or an error; false when the time is over. */
function isReady(fd: number, events: number, timeoutMs: number): boolean {
  const pollfd = new Uint8Array(8); // struct pollfd, poll(2)
  const view = new DataView(pollfd.buffer);
  view.setInt32(0, fd, true);
  view.setInt16(4, events, true);
  const end = performance.now() + timeoutMs;
  for (;;) {
    const ready = libc.poll(pollfd, Math.max(0, Math.ceil(end - performance.now())));
    if (ready !== -libc.EINTR) return ready !== 0;
  }
}

function nameOf(errno: number): string {
  return new SyscallError('connect', 'probe', errno).code ?? '';
}

/** `struct sockaddr_in` or `sockaddr_in6`, ip(7) and ipv6(7). */
function sockaddr(family: number, address: Uint8Array, port: number): Uint8Array {
  const raw = new Uint8Array(address.length === 4 ? 16 : 28);
  const view = new DataView(raw.buffer);
  view.setUint16(0, family, true);
  view.setUint16(2, port);
  raw.set(address, address.length === 4 ? 4 : 8);
  return raw;
}
