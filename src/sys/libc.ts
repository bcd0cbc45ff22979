import { SyscallError, UnsupportedError } from '../errors.ts';
import { loadLibrary } from './native.ts';
import type { NativeFunction, NativeLibrary, Signature } from './native-library.ts';

/** `AF_NETLINK` etc. from <sys/socket.h>, <sched.h>, <sys/file.h>: what the calls below take. */
export const AF_NETLINK = 16;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const MSG_DONTWAIT = 0x40;
export const MSG_TRUNC = 0x20;
export const CLONE_NEWNET = 0x40000000;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
export const LOCK_UN = 8;

/** What the calls that return a negated errno are compared with, <asm-generic/errno.h>. */
export const ENOENT = 2;
export const EINTR = 4;
export const EAGAIN = 11;
export const ENOTDIR = 20;
export const EINVAL = 22;
export const EISCONN = 106;
export const EINPROGRESS = 115;

let library: NativeLibrary | undefined;
const functions = new Map<string, NativeFunction>();

// man 2 of each; glibc's types.
const SIGNATURES = {
  socket: { returns: 'int', takes: ['int', 'int', 'int'] },
  bind: { returns: 'int', takes: ['int', 'uint8_t *', 'uint32_t'] },
  setsockopt: { returns: 'int', takes: ['int', 'int', 'int', 'uint8_t *', 'uint32_t'] },
  sendto: { returns: 'int64_t', takes: ['int', 'uint8_t *', 'size_t', 'int', 'uint8_t *', 'uint32_t'] },
  recvfrom: { returns: 'int64_t', takes: ['int', 'uint8_t *', 'size_t', 'int', 'uint8_t *', 'uint8_t *'] },
  connect: { returns: 'int', takes: ['int', 'uint8_t *', 'uint32_t'] },
  poll: { returns: 'int', takes: ['uint8_t *', 'unsigned long', 'int'] },
  setns: { returns: 'int', takes: ['int', 'int'] },
  flock: { returns: 'int', takes: ['int', 'int'] },
  // This one and open are variadic, which makes no difference to arguments in registers.
  ioctl: { returns: 'int', takes: ['int', 'unsigned long', 'int'] },
  open: { returns: 'int', takes: ['uint8_t *', 'int', 'uint32_t'] },
  close: { returns: 'int', takes: ['int'] },
  read: { returns: 'int64_t', takes: ['int', 'uint8_t *', 'size_t'] },
  write: { returns: 'int64_t', takes: ['int', 'uint8_t *', 'size_t'] },
  statx: { returns: 'int', takes: ['int', 'uint8_t *', 'int', 'uint32_t', 'uint8_t *'] },
  mkdir: { returns: 'int', takes: ['uint8_t *', 'uint32_t'] },
  unlink: { returns: 'int', takes: ['uint8_t *'] },
  link: { returns: 'int', takes: ['uint8_t *', 'uint8_t *'] },
  rename: { returns: 'int', takes: ['uint8_t *', 'uint8_t *'] },
  symlink: { returns: 'int', takes: ['uint8_t *', 'uint8_t *'] },
  readlink: { returns: 'int64_t', takes: ['uint8_t *', 'uint8_t *', 'size_t'] },
  utimensat: { returns: 'int', takes: ['int', 'uint8_t *', 'uint8_t *', 'int'] },
  access: { returns: 'int', takes: ['uint8_t *', 'int'] },
  dlsym: { returns: 'unsigned long', takes: ['unsigned long', 'uint8_t *'] },
  signal: { returns: 'unsigned long', takes: ['int', 'unsigned long'] },
  siginterrupt: { returns: 'int', takes: ['int', 'int'] },
  setitimer: { returns: 'int', takes: ['int', 'uint8_t *', 'uint8_t *'] },
  setenv: { returns: 'int', takes: ['uint8_t *', 'uint8_t *', 'int'] },
  _exit: { returns: 'void', takes: ['int'] },
} as const satisfies Readonly<Record<string, Signature>>;

function symbol(name: keyof typeof SIGNATURES): NativeFunction {
  let call = functions.get(name);
  if (call === undefined) {
    if (process.platform !== 'linux') throw new UnsupportedError('netlink');
    library ??= loadLibrary();
    call = library.func(name, SIGNATURES[name]);
    functions.set(name, call);
  }
  return call;
}

// errno is read at once: any call of the runtime in between overwrites it.
function attempt(call: NativeFunction, ...args: Parameters<NativeFunction>): number {
  const result = Number(call(...args));
  return result < 0 ? -(library?.errno() ?? 0) : result;
}

function check(
  syscall: string,
  object: string,
  call: NativeFunction,
  ...args: Parameters<NativeFunction>
): number {
  const result = attempt(call, ...args);
  if (result < 0) throw new SyscallError(syscall, object, -result);
  return result;
}

/** socket(2). */
export function socket(domain: number, type: number, protocol: number): number {
  const call = symbol('socket');
  return check('socket', `protocol ${protocol}`, call, domain, type, protocol);
}

/** bind(2) to a raw `sockaddr`. */
export function bind(fd: number, address: Uint8Array): void {
  const call = symbol('bind');
  check('bind', `fd ${fd}`, call, fd, address, address.length);
}

/** setsockopt(2) with raw option bytes. */
export function setsockopt(fd: number, level: number, option: number, value: Uint8Array): void {
  const call = symbol('setsockopt');
  check('setsockopt', `level ${level} option ${option}`, call, fd, level, option, value, value.length);
}

/** sendto(2); returns the number of bytes sent. */
export function sendto(fd: number, data: Uint8Array, flags: number, address: Uint8Array): number {
  const call = symbol('sendto');
  return check('sendto', `fd ${fd}`, call, fd, data, data.length, flags, address, address.length);
}

/** recvfrom(2) into `data`; the sender's address goes to `address`. With MSG_TRUNC the true length is returned. */
export function recvfrom(fd: number, data: Uint8Array, flags: number, address: Uint8Array): number {
  const call = symbol('recvfrom');
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, address.length, true);
  return check('recvfrom', `fd ${fd}`, call, fd, data, data.length, flags, address, length);
}

/** connect(2) to a raw `sockaddr`; returns 0 or, negated, errno. */
export function connect(fd: number, address: Uint8Array): number {
  return attempt(symbol('connect'), fd, address, address.length);
}

/** poll(2) of one `pollfd`, for `timeoutMs`; returns how many are ready or, negated, errno. */
export function poll(pollfd: Uint8Array, timeoutMs: number): number {
  return attempt(symbol('poll'), pollfd, 1, timeoutMs);
}

/** setns(2): moves the calling thread into the namespace behind `fd`. */
export function setns(fd: number, nstype: number, object: string): void {
  check('setns', object, symbol('setns'), fd, nstype);
}

/** flock(2); returns 0 or, negated, errno. */
export function flock(fd: number, operation: number): number {
  return attempt(symbol('flock'), fd, operation);
}

/** The address of a function of the C library, by dlsym(3). */
export function addressOf(name: string): number {
  const address = Number(symbol('dlsym')(0, new TextEncoder().encode(`${name}\0`)));
  if (address === 0) throw new Error(`the C library has no ${name}`);
  return address;
}

/** signal(2) with the address of a handler. */
export function signal(signum: number, handler: number): void {
  symbol('signal')(signum, handler);
}

/** siginterrupt(3). */
export function siginterrupt(signum: number, flag: number): void {
  check('siginterrupt', `signal ${signum}`, symbol('siginterrupt'), signum, flag);
}

/** setitimer(2) with a raw `itimerval`. */
export function setitimer(which: number, value: Uint8Array): void {
  const before = new Uint8Array(value.length);
  check('setitimer', `timer ${which}`, symbol('setitimer'), which, value, before);
}

/** ioctl(2) without an argument; returns its result. */
export function ioctl(fd: number, request: number, object: string): number {
  return check('ioctl', object, symbol('ioctl'), fd, request, 0);
}

// The following take paths as NUL-terminated bytes and return their result or, negated, errno: fs.ts makes errors of
// those that are any.

/** open(2). */
export function open(path: Uint8Array, flags: number, mode: number): number {
  return attempt(symbol('open'), path, flags, mode);
}

/** close(2). */
export function close(fd: number): number {
  return attempt(symbol('close'), fd);
}

/** read(2) into `data`. */
export function read(fd: number, data: Uint8Array): number {
  return attempt(symbol('read'), fd, data, data.length);
}

/** write(2). */
export function write(fd: number, data: Uint8Array): number {
  return attempt(symbol('write'), fd, data, data.length);
}

/** statx(2) into `data`, which holds 256 bytes. */
export function statx(fd: number, path: Uint8Array, flags: number, mask: number, data: Uint8Array): number {
  return attempt(symbol('statx'), fd, path, flags, mask, data);
}

/** mkdir(2). */
export function mkdir(path: Uint8Array, mode: number): number {
  return attempt(symbol('mkdir'), path, mode);
}

/** unlink(2). */
export function unlink(path: Uint8Array): number {
  return attempt(symbol('unlink'), path);
}

/** link(2). */
export function link(from: Uint8Array, to: Uint8Array): number {
  return attempt(symbol('link'), from, to);
}

/** rename(2). */
export function rename(from: Uint8Array, to: Uint8Array): number {
  return attempt(symbol('rename'), from, to);
}

/** symlink(2). */
export function symlink(target: Uint8Array, path: Uint8Array): number {
  return attempt(symbol('symlink'), target, path);
}

/** readlink(2) into `data`. */
export function readlink(path: Uint8Array, data: Uint8Array): number {
  return attempt(symbol('readlink'), path, data, data.length);
}

/** utimensat(2) with two `timespec`. */
export function utimensat(fd: number, path: Uint8Array, times: Uint8Array, flags: number): number {
  return attempt(symbol('utimensat'), fd, path, times, flags);
}

/** access(2). */
export function access(path: Uint8Array, mode: number): number {
  return attempt(symbol('access'), path, mode);
}

/** setenv(3), overwriting: in the C library's environment, which programs started by it inherit. */
export function setenv(name: string, value: string): void {
  const text = (it: string): Uint8Array => new TextEncoder().encode(`${it}\0`);
  check('setenv', name, symbol('setenv'), text(name), text(value), 1);
}

/** Whether a call has been made, and the library is loaded therefore. */
export function isLoaded(): boolean {
  return library !== undefined;
}

/** _exit(2): ends the process at once, without anything that the runtime would do first. */
export function exitImmediately(status: number): void {
  symbol('_exit')(status);
}
