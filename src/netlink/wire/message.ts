import type { ExtendedAck } from '../errors.ts';
import { WireError } from '../errors.ts';
import { splitAttributes } from './attributes.ts';
import { align4, slice, viewOf } from './buffer.ts';
import { string, u32 } from './value.ts';

/** Size of `struct nlmsghdr`. */
export const NLMSG_HDRLEN = 16;
// Message types and flags that the framing itself needs; <linux/netlink.h>.
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;

/** A netlink message: the fields of `struct nlmsghdr` and the payload behind it. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly portId: number;
  readonly payload: Uint8Array;
}

/** Encodes a message, padded to 4 bytes. */
export function encodeMessage(message: Message): Uint8Array {
  const length = NLMSG_HDRLEN + message.payload.length;
  const out = new Uint8Array(align4(length));
  const view = viewOf(out);
  view.setUint32(0, length, true);
  view.setUint16(4, message.type, true);
  view.setUint16(6, message.flags, true);
  view.setUint32(8, message.sequence, true);
  view.setUint32(12, message.portId, true);
  out.set(message.payload, NLMSG_HDRLEN);
  return out;
}

/** Splits a datagram into its messages; payloads alias `data`. Throws {@link WireError} on an overrun. */
export function splitMessages(data: Uint8Array): Message[] {
  const all: Message[] = [];
  let offset = 0;
  while (offset < data.length) {
    const view = viewOf(slice(data, offset, NLMSG_HDRLEN));
    const length = view.getUint32(0, true);
    if (length < NLMSG_HDRLEN) throw new WireError(`message at ${offset} has length ${length}`);
    all.push({
      type: view.getUint16(4, true),
      flags: view.getUint16(6, true),
      sequence: view.getUint32(8, true),
      portId: view.getUint32(12, true),
      payload: slice(data, offset + NLMSG_HDRLEN, length - NLMSG_HDRLEN),
    });
    offset += align4(length);
  }
  return all;
}

/** An ACK or error: errno 0 is an ACK. */
export interface Ack {
  readonly errno: number;
  readonly extendedAck: ExtendedAck;
}

/** Decodes the payload of NLMSG_ERROR, or of NLMSG_DONE (which carries an errno and the same attributes). */
export function decodeAck(message: Message): Ack {
  const { payload, flags } = message;
  const errno = payload.length >= 4 ? -viewOf(payload).getInt32(0, true) : 0;
  let tlvs = 4;
  if (message.type === NLMSG_ERROR) {
    const header = slice(payload, 4, NLMSG_HDRLEN);
    tlvs = 4 + ((flags & NLM_F_CAPPED) === 0 ? align4(viewOf(header).getUint32(0, true)) : NLMSG_HDRLEN);
  }
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno, extendedAck: {} };
  let extendedAck: ExtendedAck = {};
  for (const { type, data } of splitAttributes(slice(payload, tlvs, payload.length - tlvs))) {
    if (type === NLMSGERR_ATTR_MSG) extendedAck = { ...extendedAck, message: string.decode(data) };
    if (type === NLMSGERR_ATTR_OFFS) extendedAck = { ...extendedAck, offset: u32.decode(data) };
  }
  return { errno, extendedAck };
}
