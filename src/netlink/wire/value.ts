import { formatIp, type IpAddress, ipFromBytes, ipToBytes, parseIp } from '../../ip/address.ts';
import { WireError } from '../errors.ts';
import { viewOf } from './buffer.ts';

/** One value of a netlink attribute or struct: both directions. Decoded values never alias the receive buffer. */
export interface Codec<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

/** A codec that is made when it is needed first: most processes need few of those that there are. */
export function lazy<T>(make: () => Codec<T>): Codec<T> {
  let made: Codec<T> | undefined;
  const codec = (): Codec<T> => {
    made ??= make();
    return made;
  };
  return {
    encode: (value) => codec().encode(value),
    decode: (bytes) => codec().decode(bytes),
  };
}

// Host order is little-endian on every machine that the executables are built for; netlink is host order
// unless a name says otherwise.
const HOST = true;
const NETWORK = false;

function unsigned(bytes: 1 | 2 | 4, little: boolean): Codec<number> {
  const limit = 2 ** (8 * bytes);
  return {
    encode(value) {
      if (!Number.isInteger(value) || value < 0 || value >= limit) {
        throw new WireError(`${value} is not an unsigned integer of ${8 * bytes} bits`);
      }
      const out = new Uint8Array(bytes);
      const view = viewOf(out);
      if (bytes === 1) view.setUint8(0, value);
      else if (bytes === 2) view.setUint16(0, value, little);
      else view.setUint32(0, value, little);
      return out;
    },
    decode(data) {
      if (data.length < bytes) throw new WireError(`need ${bytes} bytes, have ${data.length}`);
      const view = viewOf(data);
      if (bytes === 1) return view.getUint8(0);
      return bytes === 2 ? view.getUint16(0, little) : view.getUint32(0, little);
    },
  };
}

/** Unsigned integers in host order, as rtnetlink has them. */
export const u8 = unsigned(1, HOST);
export const u16 = unsigned(2, HOST);
export const u32 = unsigned(4, HOST);
/** Unsigned integers in network order, as nfnetlink has them. */
export const be16 = unsigned(2, NETWORK);
export const be32 = unsigned(4, NETWORK);

function unsigned64(little: boolean): Codec<number> {
  return {
    encode(value) {
      if (!Number.isSafeInteger(value) || value < 0)
        throw new WireError(`${value} is not an unsigned integer of 53 bits`);
      const out = new Uint8Array(8);
      const view = viewOf(out);
      view.setUint32(little ? 0 : 4, value % 2 ** 32, little);
      view.setUint32(little ? 4 : 0, Math.floor(value / 2 ** 32), little);
      return out;
    },
    decode(data) {
      if (data.length < 8) throw new WireError(`need 8 bytes, have ${data.length}`);
      const view = viewOf(data);
      const value = view.getUint32(little ? 4 : 0, little) * 2 ** 32 + view.getUint32(little ? 0 : 4, little);
      if (!Number.isSafeInteger(value)) throw new WireError(`${value} is beyond 53 bits`);
      return value;
    },
  };
}

/** Unsigned 64-bit integers in host and in network order, as far as numbers are exact: up to 2^53 - 1. */
export const u64 = unsigned64(HOST);
export const be64 = unsigned64(NETWORK);

/** An unsigned 64-bit integer in network order, exact. */
export const be64Exact: Codec<bigint> = {
  encode(value) {
    if (value < 0n || value >= 2n ** 64n)
      throw new WireError(`${value} is not an unsigned integer of 64 bits`);
    const out = new Uint8Array(8);
    viewOf(out).setBigUint64(0, value, NETWORK);
    return out;
  },
  decode(data) {
    if (data.length < 8) throw new WireError(`need 8 bytes, have ${data.length}`);
    return viewOf(data).getBigUint64(0, NETWORK);
  },
};

/** A signed 32-bit integer in host order. */
export const i32: Codec<number> = {
  encode(value) {
    if (!Number.isInteger(value) || value < -(2 ** 31) || value >= 2 ** 31) {
      throw new WireError(`${value} is not a signed integer of 32 bits`);
    }
    const out = new Uint8Array(4);
    viewOf(out).setInt32(0, value, HOST);
    return out;
  },
  decode(data) {
    if (data.length < 4) throw new WireError(`need 4 bytes, have ${data.length}`);
    return viewOf(data).getInt32(0, HOST);
  },
};

/** Raw bytes. */
export const bytes: Codec<Uint8Array> = {
  encode: (value) => value,
  decode: (data) => data.slice(),
};

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

/** A string that ends in NUL (NLA_NUL_STRING). */
export const string: Codec<string> = {
  encode(value) {
    if (value.includes('\0')) throw new WireError('a string may not contain NUL');
    return utf8.encode(`${value}\0`);
  },
  decode(data) {
    const end = data.indexOf(0);
    return fromUtf8.decode(end < 0 ? data : data.subarray(0, end));
  },
};

/** A flag: the attribute is there or not (NLA_FLAG). */
export const flag: Codec<true> = { encode: () => new Uint8Array(0), decode: () => true };

/** An IPv4 or IPv6 address in network order, as text. */
export const ip: Codec<string> = {
  encode(value) {
    const address = parseIp(value);
    if (address === undefined) throw new WireError(`${value} is not an IP address`);
    return ipToBytes(address);
  },
  decode(data) {
    const address: IpAddress | undefined = ipFromBytes(data);
    if (address === undefined) throw new WireError(`an IP address has 4 or 16 bytes, not ${data.length}`);
    return formatIp(address);
  },
};

/** A MAC address of 6 bytes as `02:00:5e:10:00:01`; other hardware address lengths decode alike. */
export const mac: Codec<string> = {
  encode(value) {
    const parts = value.split(':');
    const bytes = new Uint8Array(6);
    for (let i = 0; i < 6; i++) {
      const part = parts[i] ?? '';
      const byte = Number(`0x${part}`);
      if (parts.length !== 6 || part.length !== 2 || Number.isNaN(byte))
        throw new WireError(`${value} is not a MAC address`);
      bytes[i] = byte;
    }
    return bytes;
  },
  decode: (data) => Array.from(data, (byte) => byte.toString(16).padStart(2, '0')).join(':'),
};
