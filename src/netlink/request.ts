/** One request: what it is, in words for an error, and its bytes. */
export interface Request {
  readonly type: number;
  /** The kernel's name of `type`, such as `RTM_NEWADDR`. */
  readonly name: string;
  /** NLM_F_* beside NLM_F_REQUEST and NLM_F_ACK, which are always set. */
  readonly flags?: number;
  readonly payload: Uint8Array;
  /** What is tried, on which object: `add address 10.1.0.2/32 dev eth0`. */
  readonly what: string;
}
