import { CniError } from '../src/cni/error.ts';
import { errorMessage, PlumbError } from '../src/errors.ts';

/** The CNI error code of each kind of library error: the only place where one becomes the other. */
function codeOf(error: PlumbError): number {
  switch (error.kind) {
    case 'config':
      return 7;
    case 'io':
    case 'wire':
      return 5;
    case 'lock-timeout':
      return 11;
    case 'lease-exists':
      return 100;
    case 'range-exhausted':
      return 101;
    case 'netlink':
    case 'not-found':
    case 'dump-interrupted':
      return 102;
    case 'unsupported':
      return 103;
  }
}

/** Whatever was thrown, as the error that the runtime gets. */
export function toCniError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  if (error instanceof PlumbError) return new CniError(codeOf(error), error.message);
  return new CniError(
    999,
    `internal error: ${errorMessage(error)}`,
    error instanceof Error ? (error.stack ?? '') : '',
  );
}
