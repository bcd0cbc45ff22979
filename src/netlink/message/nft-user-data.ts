import { WireError } from '../errors.ts';
import { concat } from '../wire/buffer.ts';
import { string, u32 } from '../wire/value.ts';
import { given } from './nft-names.ts';

// User data: notes on an object that the kernel keeps and does not read, at most 256 bytes. By nft's custom, <udata.h> of
// libnftnl, they are a row of a type, a length and a value: a byte, a byte, bytes.

const COMMENT = 0;
// Sets have comments of another type, and say how nft is to read their keys and data: enum nftnl_udata_set_types.
const SET_KEY_BYTEORDER = 0;
const SET_DATA_BYTEORDER = 1;
const SET_COMMENT = 7;

const MAX_VALUE = 255;

/** Notes on an object. */
export interface NftNotes {
  /** A text of at most 253 bytes, which `nft list` shows. */
  readonly comment?: string;
  /**
   * All notes as they stand on the wire, if there is more than a comment; the comment is among them. Given when an object is
   * added, it goes out as it is and `comment` is not looked at.
   */
  readonly userData?: Uint8Array;
}

function tlv(type: number, value: Uint8Array): Uint8Array {
  if (value.length > MAX_VALUE) throw new WireError(`a note of ${value.length} bytes is too long`);
  return concat([Uint8Array.of(type, value.length), value]);
}

function find(userData: Uint8Array, wanted: number): Uint8Array | undefined {
  for (let at = 0; at + 2 <= userData.length; ) {
    const [type, length = 0] = userData.subarray(at, at + 2);
    if (type === wanted) return userData.subarray(at + 2, at + 2 + length);
    at += 2 + length;
  }
  return undefined;
}

function findText(userData: Uint8Array, wanted: number): string | undefined {
  const value = find(userData, wanted);
  return value === undefined ? undefined : string.decode(value);
}

/** Whether two arrays hold the same bytes. */
export function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && a.every((byte, i) => b[i] === byte);
}

/** The notes of a table, chain, rule or element; none is undefined. Throws {@link WireError}. */
export function encodeNotes({ comment, userData }: NftNotes): Uint8Array | undefined {
  if (userData !== undefined || comment === undefined) return userData;
  return tlv(COMMENT, string.encode(comment));
}

/** The reverse of {@link encodeNotes}. */
export function decodeNotes(userData: Uint8Array | undefined): NftNotes {
  if (userData === undefined) return {};
  const notes = given({ comment: findText(userData, COMMENT) });
  return sameBytes(encodeNotes(notes), userData) ? notes : { ...notes, userData };
}

/** How nft is to read what a set holds: `none` for concatenations, each field of which has an order of its own. */
export type ByteOrder = 'none' | 'host' | 'network';

const ORDERS: readonly ByteOrder[] = ['none', 'host', 'network'];

/** Notes on a set: without an order, nft would show names of interfaces as "". */
export interface SetNotes extends NftNotes {
  readonly keyOrder?: ByteOrder | undefined;
  readonly dataOrder?: ByteOrder | undefined;
}

/** The notes of a set. Throws {@link WireError}. */
export function encodeSetNotes({ comment, userData, keyOrder, dataOrder }: SetNotes): Uint8Array | undefined {
  if (userData !== undefined) return userData;
  const order = (type: number, of: ByteOrder | undefined): Uint8Array[] =>
    of === undefined ? [] : [tlv(type, u32.encode(ORDERS.indexOf(of)))];
  const parts = [...order(SET_KEY_BYTEORDER, keyOrder), ...order(SET_DATA_BYTEORDER, dataOrder)];
  if (comment !== undefined) parts.push(tlv(SET_COMMENT, string.encode(comment)));
  return parts.length === 0 ? undefined : concat(parts);
}

/** The reverse of {@link encodeSetNotes}; `standard` are the orders that it would write. */
export function decodeSetNotes(userData: Uint8Array | undefined, standard: SetNotes): NftNotes {
  if (userData === undefined) return {};
  const notes = given({ comment: findText(userData, SET_COMMENT) });
  return sameBytes(encodeSetNotes({ ...standard, ...notes }), userData) ? notes : { ...notes, userData };
}
