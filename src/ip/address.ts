/** IP version, as CNI and people count: 4 or 6. */
export type Family = 4 | 6;

/** One IP address; IPv4-mapped IPv6 addresses are IPv4 here, as in Go's `net.IP`. */
export interface IpAddress {
  readonly family: Family;
  /** The address as an unsigned number of 32 or 128 bits. */
  readonly value: bigint;
}

/** An address together with a prefix length: an interface address, or a network when the host bits are 0. */
export interface IpPrefix {
  readonly address: IpAddress;
  readonly prefixLength: number;
}

const MAPPED_PREFIX = 0xffffn;

/** Number of bits in an address of this family. */
export function addressBits(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** Parses an address in any usual spelling (no zone, no leading zeros in IPv4); undefined if it is none. */
export function parseIp(text: string): IpAddress | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): IpAddress | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    const byte = decimal(part);
    // A leading zero is octal to some parsers and decimal to others: nobody may be surprised.
    if (byte === undefined || byte > 255 || (part.length > 1 && part.startsWith('0'))) return undefined;
    value = value * 256 + byte;
  }
  return { family: 4, value: BigInt(value) };
}

/** One to three decimal digits. No regular expression, here and below: each costs 50 µs when it is first used. */
function decimal(text: string): number | undefined {
  if (text.length < 1 || text.length > 3) return undefined;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value;
}

function isHexGroup(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const isDigit = code >= 0x30 && code <= 0x39;
    if (!isDigit && ((code | 0x20) < 0x61 || (code | 0x20) > 0x66)) return false;
  }
  return text.length >= 1 && text.length <= 4;
}

function parseIpv6(text: string): IpAddress | undefined {
  let source = text;
  if (text.includes('.')) {
    const end = text.lastIndexOf(':') + 1;
    const v4 = parseIpv4(text.slice(end));
    if (v4 === undefined) return undefined;
    source = `${text.slice(0, end)}${(v4.value >> 16n).toString(16)}:${(v4.value & 0xffffn).toString(16)}`;
  }
  const halves = source.split('::');
  if (halves.length > 2) return undefined;
  const groups = (half: string | undefined): string[] =>
    half === undefined || half === '' ? [] : half.split(':');
  const head = groups(halves[0]);
  const tail = groups(halves[1]);
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  let value = 0n;
  for (const group of [...head, ...new Array<string>(missing).fill('0'), ...tail]) {
    if (!isHexGroup(group)) return undefined;
    value = (value << 16n) | BigInt(`0x${group}`);
  }
  if (value >> 32n === MAPPED_PREFIX) return { family: 4, value: value & 0xffffffffn };
  return { family: 6, value };
}

/** The canonical spelling (RFC 5952 for IPv6), which is also how Go prints it. */
export function formatIp(address: IpAddress): string {
  if (address.family === 4) {
    return [24n, 16n, 8n, 0n].map((shift) => ((address.value >> shift) & 0xffn).toString()).join('.');
  }
  const groups: number[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(Number((address.value >> shift) & 0xffffn));
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (best.start < 0) return hex(groups);
  return `${hex(groups.slice(0, best.start))}::${hex(groups.slice(best.start + best.length))}`;
}

/** Parses `address/length`; undefined if it is none. Host bits are kept. */
export function parsePrefix(text: string): IpPrefix | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const address = parseIp(text.slice(0, slash));
  const prefixLength = decimal(text.slice(slash + 1));
  if (address === undefined || prefixLength === undefined) return undefined;
  if (prefixLength > addressBits(address.family)) return undefined;
  return { address, prefixLength };
}

/** `address/length` in canonical spelling. */
export function formatPrefix(prefix: IpPrefix): string {
  return `${formatIp(prefix.address)}/${prefix.prefixLength}`;
}

/** The address in network byte order: 4 or 16 bytes. */
export function ipToBytes(address: IpAddress): Uint8Array {
  const bytes = new Uint8Array(addressBits(address.family) / 8);
  let rest = address.value;
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** The reverse of {@link ipToBytes}; undefined if there are not 4 or 16 bytes. A mapped IPv6 address stays IPv6. */
export function ipFromBytes(bytes: Uint8Array): IpAddress | undefined {
  if (bytes.length !== 4 && bytes.length !== 16) return undefined;
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return { family: bytes.length === 4 ? 4 : 6, value };
}

/** The first address of the network that `prefix` lies in (its host bits cleared). */
export function networkOf(prefix: IpPrefix): IpAddress {
  const hostBits = BigInt(addressBits(prefix.address.family) - prefix.prefixLength);
  return { family: prefix.address.family, value: (prefix.address.value >> hostBits) << hostBits };
}

/** The last address of the network that `prefix` lies in (for IPv4 its broadcast address). */
export function lastOf(prefix: IpPrefix): IpAddress {
  const hostBits = BigInt(addressBits(prefix.address.family) - prefix.prefixLength);
  return { family: prefix.address.family, value: networkOf(prefix).value | ((1n << hostBits) - 1n) };
}

/** Whether `address` lies in the network of `prefix`. */
export function contains(prefix: IpPrefix, address: IpAddress): boolean {
  return (
    prefix.address.family === address.family &&
    networkOf({ address, prefixLength: prefix.prefixLength }).value === networkOf(prefix).value
  );
}

const NO_HOSTS = ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/4', '255.255.255.255/32', '::/127', 'ff00::/8'];
let noHosts: readonly IpPrefix[] | undefined;

/** Whether an interface may have the address: it is not unspecified, loopback, multicast or IPv4's broadcast address. */
export function isHostAddress(address: IpAddress): boolean {
  noHosts ??= NO_HOSTS.flatMap((text) => parsePrefix(text) ?? []);
  return !noHosts.some((prefix) => contains(prefix, address));
}

/** Whether both are the same address. */
export function sameIp(a: IpAddress, b: IpAddress): boolean {
  return a.family === b.family && a.value === b.value;
}
