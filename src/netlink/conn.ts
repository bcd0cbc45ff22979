import { isErrno } from '../errors.ts';
import { NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST } from './abi/netlink.ts';
import { DumpInterruptedError, NetlinkError, WireError } from './errors.ts';
import type { Request } from './request.ts';
import { concat } from './wire/buffer.ts';
import {
  decodeAck,
  encodeMessage,
  type Message,
  NLMSG_DONE,
  NLMSG_ERROR,
  splitMessages,
} from './wire/message.ts';

export type { Request } from './request.ts';

/** What a connection needs from a socket: datagrams to and from the kernel, nothing else. */
export interface Transport {
  /** Sends one datagram; the kernel has handled every message in it when this returns. */
  send(datagram: Uint8Array): void;
  /** The next datagram from the kernel, valid until the next call; undefined when none is waiting. */
  receive(): Uint8Array | undefined;
  /** Makes room for the answers to `messages` requests. */
  reserve(messages: number): void;
  close(): void;
}

const DUMP_ATTEMPTS = 20;

/**
 * A netlink conversation: request, dump, batch. It is synchronous, because the kernel handles a request inside
 * the call that sends it, and it stays in step whatever happens: answers are always read to their end.
 */
export class Connection {
  readonly #transport: Transport;
  #sequence = 0;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Sends one request and waits for its ACK; returns the answers before it, if any. Throws {@link NetlinkError}. */
  request(request: Request): Uint8Array[] {
    const outcome = this.#exchange([request], NLM_F_ACK);
    if (outcome.error !== undefined) throw outcome.error;
    return outcome.answers;
  }

  /**
   * Sends all requests in one datagram. The kernel goes on after an error, so that each request has an outcome
   * of its own: undefined, or the error. Nothing is undone here. Only the last is asked to be acknowledged: the kernel
   * handles them in their order, and errors are told in any case.
   */
  batch(requests: readonly Request[]): (NetlinkError | undefined)[] {
    return requests.length === 0 ? [] : this.#exchange(requests, NLM_F_ACK).outcomes;
  }

  /** Like {@link batch}, but throws the first error. */
  batchAll(requests: readonly Request[]): void {
    for (const outcome of this.batch(requests)) if (outcome !== undefined) throw outcome;
  }

  /**
   * A complete and consistent dump: one that the kernel marks as interrupted (NLM_F_DUMP_INTR) is read to its
   * end and asked for again. Throws {@link NetlinkError} or {@link DumpInterruptedError}.
   */
  dump(request: Request): Uint8Array[] {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const outcome = this.#exchange([request], NLM_F_DUMP);
      // A dump that was cut off by changes may also end in EINTR or EBUSY instead of the flag.
      if (outcome.interrupted || isErrno(outcome.error, 'EINTR', 'EBUSY')) continue;
      if (outcome.error !== undefined) throw outcome.error;
      return outcome.answers;
    }
    throw new DumpInterruptedError(request.what, DUMP_ATTEMPTS);
  }

  /**
   * Sends requests between two boundary messages, as nfnetlink's transactions want it: all of them take effect or
   * none. The kernel's answers are read to the last one, for an abort leaves some requests without one. Throws the
   * first {@link NetlinkError}.
   */
  transaction(begin: Request, requests: readonly Request[], end: Request): void {
    const all = [begin, ...requests, end];
    const first = this.#send(all, (index) => (index === 0 || index === all.length - 1 ? 0 : NLM_F_ACK));
    let acks = 0;
    let failure: NetlinkError | undefined;
    for (let data = this.#transport.receive(); data !== undefined; data = this.#transport.receive()) {
      for (const message of splitMessages(data)) {
        const request = all[message.sequence - first];
        if (request === undefined || message.type !== NLMSG_ERROR) continue;
        acks++;
        const { errno, extendedAck } = decodeAck(message);
        if (errno !== 0)
          failure ??= new NetlinkError(request.what, request.name, errno, extendedAck, message.sequence);
      }
    }
    if (failure !== undefined) throw failure;
    if (acks < requests.length)
      throw new WireError(`${begin.what}: ${acks} answers to ${requests.length} requests`);
  }

  close(): void {
    this.#transport.close();
  }

  #send(requests: readonly Request[], flags: (index: number) => number): number {
    const first = this.#sequence + 1;
    this.#sequence += requests.length;
    const datagram = concat(
      requests.map((request, i) =>
        encodeMessage({
          type: request.type,
          flags: NLM_F_REQUEST | flags(i) | (request.flags ?? 0),
          sequence: first + i,
          portId: 0,
          payload: request.payload,
        }),
      ),
    );
    if (requests.length > 1) this.#transport.reserve(requests.length);
    this.#transport.send(datagram);
    return first;
  }

  #exchange(requests: readonly Request[], lastFlags: number): Outcome {
    const last = requests.length - 1;
    return this.#collect(
      requests,
      this.#send(requests, (index) => (index === last ? lastFlags : 0)),
    );
  }

  #collect(requests: readonly Request[], first: number): Outcome {
    const outcomes = new Array<NetlinkError | undefined>(requests.length).fill(undefined);
    const answers: Uint8Array[] = [];
    let waiting = true;
    let interrupted = false;
    let broken: unknown;
    while (waiting) {
      const datagram = this.#transport.receive();
      if (datagram === undefined)
        throw new WireError(`${requests[0]?.what ?? 'request'}: the kernel sent no answer`);
      let messages: Message[] = [];
      try {
        messages = splitMessages(datagram);
      } catch (error) {
        // Read on to the end all the same: an answer left unread would poison the next request.
        broken ??= error;
      }
      for (const message of messages) {
        const index = message.sequence - first;
        const request = requests[index];
        if (request === undefined) continue;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          if (index === requests.length - 1) waiting = false;
          const { errno, extendedAck } = decodeAck(message);
          if (errno !== 0) {
            outcomes[index] = new NetlinkError(
              request.what,
              request.name,
              errno,
              extendedAck,
              message.sequence,
            );
          }
        } else {
          answers.push(message.payload.slice());
        }
      }
    }
    if (broken !== undefined) throw broken;
    return { answers, outcomes, interrupted, error: outcomes.find((outcome) => outcome !== undefined) };
  }
}

interface Outcome {
  readonly answers: Uint8Array[];
  readonly outcomes: (NetlinkError | undefined)[];
  readonly interrupted: boolean;
  readonly error: NetlinkError | undefined;
}
