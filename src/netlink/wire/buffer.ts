import { WireError } from '../errors.ts';

/** Rounds up to the 4-byte alignment of netlink (NLMSG_ALIGN, NLA_ALIGN). */
export function align4(length: number): number {
  return (length + 3) & ~3;
}

/** Joins byte arrays, in order. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const all = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** A view for reading and writing numbers in `bytes`. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The `length` bytes at `offset`. Throws {@link WireError} when they are not all there. */
export function slice(bytes: Uint8Array, offset: number, length: number): Uint8Array {
  if (length < 0 || offset < 0 || offset + length > bytes.length) {
    throw new WireError(`need ${length} bytes at ${offset}, have ${bytes.length}`);
  }
  return bytes.subarray(offset, offset + length);
}
