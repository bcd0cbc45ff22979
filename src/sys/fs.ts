import { SyscallError } from '../errors.ts';
import * as libc from './libc.ts';

// The few file operations that are needed here, under the names that they have in node:fs, straight to the C library:
// to load node:fs costs Bun 0.8 ms, and most of an ADD's time is such starting costs. Each throws a SyscallError with
// path and errno.

// <asm-generic/fcntl.h>
const O_WRONLY = 0o1;
const O_CREAT = 0o100;
const O_APPEND = 0o2000;
const O_EXCL = 0o200;
const O_TRUNC = 0o1000;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
// <linux/stat.h>
const STATX_BASIC_STATS = 0x7ff;
const SIZE_OF_STATX = 256;
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;
// <unistd.h>
const W_OK = 2;
const X_OK = 1;
const PATH_MAX = 4096;
const CHUNK_BYTES = 64 * 1024;
const NANOSECONDS = 1_000_000_000n;

/** What statx(2) says of a file. */
export interface Stats {
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  /** In bytes. */
  readonly size: number;
  readonly nlink: number;
  /** Device, `major << 20 | minor` as far as 32 bits go. */
  readonly dev: number;
  readonly ino: bigint;
  /** Time of modification in nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  /** Time of change of the inode in nanoseconds since 1970. */
  readonly ctimeNs: bigint;
}

let scratch: Uint8Array | undefined;

// Valid until the next call of any function here.
function chunk(): Uint8Array {
  scratch ??= new Uint8Array(CHUNK_BYTES);
  return scratch;
}

function cString(path: string): Uint8Array {
  if (path.includes('\0')) throw new SyscallError('open', JSON.stringify(path), libc.EINVAL);
  return new TextEncoder().encode(`${path}\0`);
}

// Most of what is asked for here may be absent, and to throw costs ten times what the call does.
function isAbsent(result: number): boolean {
  return result === -libc.ENOENT || result === -libc.ENOTDIR;
}

function checked(result: number, syscall: string, object: string): number {
  if (result < 0) throw new SyscallError(syscall, object, -result);
  return result;
}

function open(path: string, flags: number, mode = 0): number {
  return checked(libc.open(cString(path), flags | O_CLOEXEC, mode), 'open', path);
}

/** Opens a file for reading, close-on-exec; does not wait for a writer where the path leads to a FIFO. */
export function openReadOnly(path: string): number {
  return open(path, O_NONBLOCK);
}

/** Opens a file that is made (with `mode`) if it is missing, for writing, close-on-exec. */
export function openOrCreate(path: string, mode: number): number {
  return open(path, O_WRONLY | O_CREAT, mode);
}

/** Opens a file that is made (with `mode`) if it is missing, for writing at its end, close-on-exec. */
export function openForAppending(path: string, mode: number): number {
  return open(path, O_WRONLY | O_CREAT | O_APPEND, mode);
}

/**
 * Closes a descriptor that was only read from, or whose writes are known to have succeeded. It is gone whatever
 * close(2) says, and an error would put into doubt what has been done.
 */
export function closeQuietly(fd: number): void {
  libc.close(fd);
}

/** Reads a descriptor to its end, as UTF-8. `what` names it in errors; a non-blocking one is waited for. */
export function readToEnd(fd: number, what: string): string {
  const decoder = new TextDecoder();
  const buffer = chunk();
  let text = '';
  for (;;) {
    const length = uninterrupted(() => libc.read(fd, buffer), 'read', what);
    if (length === 0) return text + decoder.decode();
    text += decoder.decode(buffer.subarray(0, length), { stream: true });
  }
}

/** The whole of a file, as UTF-8. */
export function readFileSync(path: string): string {
  return readAndClose(open(path, 0), path);
}

/** The whole of a file, as UTF-8; undefined when there is none. */
export function readIfPresent(path: string): string | undefined {
  const fd = libc.open(cString(path), O_CLOEXEC, 0);
  return isAbsent(fd) ? undefined : readAndClose(checked(fd, 'open', path), path);
}

function readAndClose(fd: number, path: string): string {
  try {
    return readToEnd(fd, path);
  } finally {
    closeQuietly(fd);
  }
}

/** Writes all of `text` to a descriptor; a non-blocking one is waited for. */
export function writeSync(fd: number, text: string, what: string): void {
  let data = new TextEncoder().encode(text);
  while (data.length > 0) {
    const rest = data;
    data = data.subarray(uninterrupted(() => libc.write(fd, rest), 'write', what));
  }
}

/** Writes a file that is there already, such as one of /proc/sys. */
export function overwriteSync(path: string, text: string): void {
  writeTo(open(path, O_WRONLY | O_TRUNC), path, text);
}

/** Makes a file, mode 0600, that must not be there yet: EEXIST. */
export function writeNewSync(path: string, text: string): void {
  writeTo(open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600), path, text);
}

function writeTo(fd: number, path: string, text: string): void {
  try {
    writeSync(fd, text, path);
  } catch (error) {
    closeQuietly(fd);
    throw error;
  }
  // Some file systems say only now that the data found no room.
  checked(libc.close(fd), 'close', path);
}

/** The file itself, not what a symbolic link leads to; undefined when there is none. */
export function lstatSync(path: string): Stats | undefined {
  return statOrNothing(path, AT_SYMLINK_NOFOLLOW);
}

/** What `path` leads to; undefined when there is none. */
export function statSync(path: string): Stats | undefined {
  return statOrNothing(path, 0);
}

/** The file behind a descriptor. */
export function fstatSync(fd: number): Stats {
  const data = new Uint8Array(SIZE_OF_STATX);
  checked(libc.statx(fd, cString(''), AT_EMPTY_PATH, STATX_BASIC_STATS, data), 'statx', `fd ${fd}`);
  return decodeStatx(data);
}

function statOrNothing(path: string, flags: number): Stats | undefined {
  const data = new Uint8Array(SIZE_OF_STATX);
  const result = libc.statx(AT_FDCWD, cString(path), flags, STATX_BASIC_STATS, data);
  if (isAbsent(result)) return undefined;
  checked(result, 'statx', path);
  return decodeStatx(data);
}

function decodeStatx(data: Uint8Array<ArrayBuffer>): Stats {
  const view = new DataView(data.buffer);
  const type = view.getUint16(28, true) & S_IFMT;
  const time = (offset: number): bigint =>
    view.getBigInt64(offset, true) * NANOSECONDS + BigInt(view.getUint32(offset + 8, true));
  return {
    isFile: type === S_IFREG,
    isDirectory: type === S_IFDIR,
    size: Number(view.getBigUint64(40, true)),
    nlink: view.getUint32(16, true),
    dev: (view.getUint32(136, true) * 2 ** 20 + view.getUint32(140, true)) >>> 0,
    ino: view.getBigUint64(32, true),
    mtimeNs: time(112),
    ctimeNs: time(96),
  };
}

/** Makes a folder and what is missing above it; one that is there is success. */
export function mkdirSync(path: string, mode: number): void {
  const result = libc.mkdir(cString(path), mode);
  if (result >= 0 || statSync(path)?.isDirectory === true) return;
  const parent = path.slice(0, path.lastIndexOf('/'));
  if (result !== -libc.ENOENT || parent === '') checked(result, 'mkdir', path);
  mkdirSync(parent, mode);
  const again = libc.mkdir(cString(path), mode);
  if (statSync(path)?.isDirectory !== true) checked(again, 'mkdir', path);
}

/** Removes a file; that it is not there, or its folder is not, is success. */
export function removeFile(path: string): void {
  const result = libc.unlink(cString(path));
  if (!isAbsent(result)) checked(result, 'unlink', path);
}

/** Gives a file a second name, which must not be taken: EEXIST. */
export function linkSync(from: string, to: string): void {
  checked(libc.link(cString(from), cString(to)), 'link', to);
}

/** Renames a file, in the place of another if there is one. */
export function renameSync(from: string, to: string): void {
  checked(libc.rename(cString(from), cString(to)), 'rename', to);
}

/** Makes a symbolic link, whose name must not be taken: EEXIST. */
export function symlinkSync(target: string, path: string): void {
  checked(libc.symlink(cString(target), cString(path)), 'symlink', path);
}

/** The target of a symbolic link; undefined when there is none. */
export function readlinkSync(path: string): string | undefined {
  const buffer = new Uint8Array(PATH_MAX);
  const result = libc.readlink(cString(path), buffer);
  if (isAbsent(result)) return undefined;
  return new TextDecoder().decode(buffer.subarray(0, checked(result, 'readlink', path)));
}

/** Sets access and modification time to whole seconds since 1970. */
export function utimesSync(path: string, seconds: number): void {
  const times = new Uint8Array(32);
  const view = new DataView(times.buffer);
  view.setBigInt64(0, BigInt(seconds), true);
  view.setBigInt64(16, BigInt(seconds), true);
  checked(libc.utimensat(AT_FDCWD, cString(path), times, 0), 'utimensat', path);
}

/** The names in a folder. */
export function readdirSync(path: string): string[] {
  try {
    return process.getBuiltinModule('node:fs').readdirSync(path);
  } catch (error) {
    if (!(error instanceof Error) || !('errno' in error) || typeof error.errno !== 'number') throw error;
    throw new SyscallError('opendir', path, Math.abs(error.errno), { cause: error });
  }
}

/**
 * Checks, without writing, that files can be made in a folder: it is there and writable, or can be made.
 * `directory` is an absolute path.
 */
export function assertWritableFolder(directory: string): void {
  let nearest = directory;
  while (lstatSync(nearest) === undefined && nearest !== '/') {
    nearest = nearest.slice(0, Math.max(1, nearest.lastIndexOf('/')));
  }
  if (statSync(nearest)?.isDirectory !== true) {
    throw new SyscallError('opendir', nearest, libc.ENOTDIR);
  }
  checked(libc.access(cString(nearest), W_OK | X_OK), 'access', nearest);
}

let pause: Int32Array | undefined;

function uninterrupted(call: () => number, syscall: string, what: string): number {
  for (;;) {
    const result = call();
    if (result === -libc.EAGAIN) {
      pause ??= new Int32Array(new SharedArrayBuffer(4));
      Atomics.wait(pause, 0, 0, 2);
    } else if (result !== -libc.EINTR) return checked(result, syscall, what);
  }
}
