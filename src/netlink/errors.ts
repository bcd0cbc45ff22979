import { errnoName } from '../errno.ts';
import { PlumbError } from '../errors.ts';

/** Bytes that cannot be decoded, or a value that does not fit its wire type. */
export class WireError extends PlumbError {
  readonly kind = 'wire';
}

/** What the kernel said beside the errno: NLMSGERR_ATTR_* of a netlink answer (NETLINK_EXT_ACK). */
export interface ExtendedAck {
  /** The kernel's own text, such as `Device does not exist`. */
  readonly message?: string;
  /** Offset in bytes, from the start of the request, of the attribute that the kernel did not like. */
  readonly offset?: number;
}

/** The kernel refused a request. */
export class NetlinkError extends PlumbError {
  readonly kind = 'netlink';
  readonly errno: number;
  /** Name of the request, such as `RTM_NEWADDR`. */
  readonly request: string;
  /** What was tried, in words: `add address 10.1.0.2/32 dev eth0`. */
  readonly what: string;
  readonly extendedAck: ExtendedAck;
  /** Sequence number of the request that failed. */
  readonly sequence: number;

  constructor(what: string, request: string, errno: number, extendedAck: ExtendedAck, sequence: number) {
    const code = errnoName(errno);
    const text = extendedAck.message === undefined ? '' : ` (kernel: ${extendedAck.message})`;
    super(`${what}: ${request}: ${code}${text}`, code);
    this.what = what;
    this.request = request;
    this.errno = errno;
    this.extendedAck = extendedAck;
    this.sequence = sequence;
  }
}

/** A dump stayed inconsistent (NLM_F_DUMP_INTR) however often it was asked for. */
export class DumpInterruptedError extends PlumbError {
  readonly kind = 'dump-interrupted';

  constructor(what: string, attempts: number) {
    super(`${what}: interrupted by changes in all of ${attempts} attempts`);
  }
}
