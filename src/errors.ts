import { errnoName } from './errno.ts';

/** Which kind of failure a {@link PlumbError} is; branch on this or on {@link isErrno}, never on text. */
export type ErrorKind =
  | 'io'
  | 'not-found'
  | 'netlink'
  | 'dump-interrupted'
  | 'wire'
  | 'config'
  | 'unsupported'
  | 'lock-timeout'
  | 'lease-exists'
  | 'range-exhausted';

/** Base of every error that this project's libraries throw on purpose. */
export abstract class PlumbError extends Error {
  abstract readonly kind: ErrorKind;
  /** The errno name, such as `EEXIST`, when a system call or the kernel gave one. */
  readonly code: string | undefined;

  constructor(message: string, code?: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** A system call or a file operation failed: what was tried, on which object, and the errno. */
export class SyscallError extends PlumbError {
  readonly kind = 'io';
  readonly errno: number;
  /** The system call or operation, such as `open` or `setns`. */
  readonly syscall: string;
  /** The path or other object that it was tried on. */
  readonly object: string;

  constructor(syscall: string, object: string, errno: number, options?: ErrorOptions) {
    const code = errnoName(errno);
    super(`${syscall} ${object}: ${code}`, code, options);
    this.syscall = syscall;
    this.object = object;
    this.errno = errno;
  }
}

/** A named object (link, namespace, …) does not exist. */
export class NotFoundError extends PlumbError {
  readonly kind = 'not-found';
  /** The missing object in words, such as `link eth0`. */
  readonly object: string;

  constructor(what: string, object: string, code = 'ENODEV', options?: ErrorOptions) {
    super(`${what}: ${object} not found (${code})`, code, options);
    this.object = object;
  }
}

/** A value in a configuration or an argument is not acceptable; nothing has been changed. */
export class ConfigError extends PlumbError {
  readonly kind = 'config';
  /** Where the value stands, as a JSON-pointer-like path (`ipam.ranges[0][0].subnet`), or the argument's name. */
  readonly path: string;

  constructor(path: string, message: string, options?: ErrorOptions) {
    super(`${path}: ${message}`, undefined, options);
    this.path = path;
  }
}

/** The operation exists on Linux only. */
export class UnsupportedError extends PlumbError {
  readonly kind = 'unsupported';

  constructor(what: string) {
    super(`${what} is only supported on Linux`);
  }
}

/** Whether `error` (ours or Node's own) carries one of these errno names. */
export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return (
    error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code)
  );
}

/** The text of whatever was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
