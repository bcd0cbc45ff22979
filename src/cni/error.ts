/** Incompatible CNI version (specification, section "Error", well-known codes; so are the following). */
export const ErrIncompatibleCNIVersion = 1;
/** Unsupported field in the network configuration; the message has key and value. */
export const ErrUnsupportedField = 2;
/** Container unknown or does not exist: the runtime need not call DEL. */
export const ErrUnknownContainer = 3;
/** Invalid necessary environment variables; the message names them. */
export const ErrInvalidEnvironmentVariables = 4;
/** I/O failure, such as failing to read the network configuration from stdin. */
export const ErrIOFailure = 5;
/** Failed to decode content, such as JSON that is none. */
export const ErrDecodingFailure = 6;
/** Invalid network configuration: a value in it did not pass validation. */
export const ErrInvalidNetworkConfig = 7;
/** Try again later: something transient, such as a lock that was not to be had in time. */
export const ErrTryAgainLater = 11;
/** STATUS: the plugin is not available, it cannot serve ADD requests. */
export const ErrPluginNotAvailable = 50;
/** STATUS: not available, and containers that exist may have limited connectivity. */
export const ErrLimitedConnectivity = 51;

/** An error as the runtime is to see it: a code of the specification or, from 100 up, one of our own. */
export class CniError extends Error {
  readonly code: number;
  /** A longer explanation; empty when the message says it all. */
  readonly details: string;

  constructor(code: number, msg: string, details = '', options?: ErrorOptions) {
    super(msg, options);
    this.name = 'CniError';
    this.code = code;
    this.details = details;
  }
}

/** The error object of the specification as JSON: cniVersion, code, msg, and details unless they are empty. */
export function encodeError(error: CniError, cniVersion: string): string {
  const details = error.details === '' ? {} : { details: error.details };
  return JSON.stringify({ cniVersion, code: error.code, msg: error.message, ...details });
}
