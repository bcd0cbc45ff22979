import { describe, expect, test } from 'vitest';
import { NLM_F_DUMP_INTR, NLM_F_MULTI } from '../../src/netlink/abi/netlink.ts';
import { Connection, type Transport } from '../../src/netlink/conn.ts';
import { DumpInterruptedError, NetlinkError, WireError } from '../../src/netlink/errors.ts';
import { concat } from '../../src/netlink/wire/buffer.ts';
import { encodeMessage, NLMSG_DONE, NLMSG_ERROR, splitMessages } from '../../src/netlink/wire/message.ts';
import { i32 } from '../../src/netlink/wire/value.ts';

const NEWLINK = 16;

interface Answer {
  readonly type: number;
  readonly flags?: number;
  readonly payload?: Uint8Array;
  /** Added to the sequence number of the request. */
  readonly shift?: number;
}

/** A kernel that answers the nth datagram with the nth list of datagrams. */
class Scripted implements Transport {
  readonly #script: readonly (readonly (readonly Answer[])[])[];
  #waiting: Uint8Array[] = [];
  sent = 0;
  constructor(...script: readonly (readonly (readonly Answer[])[])[]) {
    this.#script = script;
  }
  send(datagram: Uint8Array): void {
    const [first] = splitMessages(datagram);
    const sequence = first?.sequence ?? 0;
    this.#waiting.push(
      ...(this.#script[Math.min(this.sent++, this.#script.length - 1)] ?? []).map((answers) =>
        concat(
          answers.map(({ type, flags = 0, payload = i32.encode(0), shift = 0 }) =>
            encodeMessage({ type, flags, sequence: sequence + shift, portId: 7, payload }),
          ),
        ),
      ),
    );
  }
  receive(): Uint8Array | undefined {
    return this.#waiting.shift();
  }
  reserve(): void {}
  close(): void {}
  get unread(): number {
    return this.#waiting.length;
  }
}

const link = (n: number, flags = 0): Answer => ({
  type: NEWLINK,
  flags: NLM_F_MULTI | flags,
  payload: Uint8Array.of(n),
});
const done: Answer = { type: NLMSG_DONE, flags: NLM_F_MULTI };
const refused = (errno: number): Answer => ({
  type: NLMSG_ERROR,
  payload: concat([i32.encode(-errno), new Uint8Array(16)]),
});
const ack = refused(0);
const request = { type: 18, name: 'RTM_GETLINK', payload: new Uint8Array(16), what: 'list links' };
const EINTR = 4;
const EBUSY = 16;
const ENODEV = 19;

describe('a dump', () => {
  test('that is marked as interrupted is read to its end and asked for again, and only the whole one is returned', () => {
    const kernel = new Scripted(
      [[link(1), link(2, NLM_F_DUMP_INTR)], [link(3)], [done]],
      [[link(1)], [link(2)], [{ ...done, flags: NLM_F_MULTI | NLM_F_DUMP_INTR }]],
      [[link(1), link(2)], [link(3), link(4)], [done]],
    );
    expect(new Connection(kernel).dump(request).map(([n]) => n)).toEqual([1, 2, 3, 4]);
    expect(kernel).toMatchObject({ sent: 3, unread: 0 });
  });

  test.each([EINTR, EBUSY])('that ends in errno %i is asked for again', (errno) => {
    const kernel = new Scripted([[link(1), refused(errno)]], [[link(1)], [done]]);
    expect(new Connection(kernel).dump(request)).toHaveLength(1);
  });

  test('that is interrupted again and again is an error in the end', () => {
    const kernel = new Scripted([[link(1, NLM_F_DUMP_INTR)], [done]]);
    expect(() => new Connection(kernel).dump(request)).toThrow(DumpInterruptedError);
    expect(kernel).toMatchObject({ sent: 20, unread: 0 });
  });

  test('that the kernel refuses is an error with its errno', () => {
    const kernel = new Scripted([[refused(ENODEV)]]);
    expect(() => new Connection(kernel).dump(request)).toThrow('list links: RTM_GETLINK: ENODEV');
  });
});

describe('a request', () => {
  test('does not take the answer to another for its own', () => {
    const kernel = new Scripted([
      [
        { ...link(9), shift: -1 },
        { ...refused(ENODEV), shift: 5 },
      ],
      [link(1), ack],
    ]);
    expect(new Connection(kernel).request(request).map(([n]) => n)).toEqual([1]);
  });

  test('whose answer cannot be read is an error, and the next one is not disturbed by it', () => {
    const broken = Uint8Array.of(200, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0);
    const kernel = new Scripted([[ack]], [[link(2), ack]]);
    const conn = new Connection({
      send: (data) => kernel.send(data),
      receive: (() => {
        let first = true;
        return () => {
          if (!first) return kernel.receive();
          first = false;
          return broken;
        };
      })(),
      reserve: () => undefined,
      close: () => undefined,
    });
    expect(() => conn.request(request)).toThrow(WireError);
    expect(conn.request(request)).toHaveLength(1);
  });

  test('without an answer is an error rather than a wait', () => {
    expect(() => new Connection(new Scripted([])).request(request)).toThrow('the kernel sent no answer');
  });
});

test('a batch gives each request its own outcome, though only the last is acknowledged', () => {
  const kernel = new Scripted([[{ ...refused(ENODEV), shift: 1 }], [{ ...ack, shift: 2 }]]);
  const outcomes = new Connection(kernel).batch([request, { ...request, what: 'second' }, request]);
  expect(outcomes[0]).toBeUndefined();
  expect(outcomes[1]).toBeInstanceOf(NetlinkError);
  expect(outcomes[1]?.message).toBe('second: RTM_GETLINK: ENODEV');
  expect(outcomes[2]).toBeUndefined();
});
