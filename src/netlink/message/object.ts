import { concat } from '../wire/buffer.ts';
import type { Struct } from '../wire/struct.ts';
import type { Codec } from '../wire/value.ts';

/** A kernel object as rtnetlink sends it: a fixed header followed by attributes. */
export interface ObjectMessage<H, A> {
  readonly header: H;
  readonly attributes: A;
}

/** Codec of header plus attributes; header fields that are left out are 0. */
export interface ObjectCodec<H, A> {
  encode(header: Partial<H>, attributes: A): Uint8Array;
  decode(payload: Uint8Array): ObjectMessage<H, A>;
}

/** Joins a header struct and its attribute set. */
export function objectCodec<H, A>(header: Struct<H>, attributes: Codec<A>): ObjectCodec<H, A> {
  return {
    encode: (values, set) => concat([header.encode(values), attributes.encode(set)]),
    decode: (payload) => ({
      header: header.decode(payload),
      attributes: attributes.decode(payload.subarray(header.size)),
    }),
  };
}
