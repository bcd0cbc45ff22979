import * as abi from '../abi/nf_tables.ts';
import { WireError } from '../errors.ts';
import { align4 } from '../wire/buffer.ts';
import type { ByteOrder } from './nft-user-data.ts';

/** Types of keys and data by the names that nft(8) has for them. */
export type NftTypeName =
  | 'ipv4_addr'
  | 'ipv6_addr'
  | 'ether_addr'
  | 'ether_type'
  | 'inet_proto'
  | 'inet_service'
  | 'mark'
  | 'iface_index'
  | 'ifname'
  | 'verdict';

/** A type that has no name here, or lengths that its name does not tell. */
export interface NftRawType {
  /** nft's own number of it, which the kernel only keeps for `nft list`; 0 is fine. */
  readonly type: number;
  /** In bytes. Each field of a concatenation is padded to 4. */
  readonly length: number;
  /** Lengths in bytes of the fields, for a set of concatenated intervals. */
  readonly fields?: readonly number[];
}

/** What a key or what it leads to is made of: one type, or several that are concatenated, each padded to 4 bytes. */
export type NftType = readonly NftTypeName[] | NftRawType;

// enum datatypes and the datatypes themselves in <datatype.h> of nftables.
function types(): readonly (readonly [NftTypeName, number: number, length: number, ByteOrder])[] {
  return [
    ['ipv4_addr', 7, 4, 'network'],
    ['ipv6_addr', 8, 16, 'network'],
    ['ether_addr', 9, 6, 'network'],
    ['ether_type', 10, 2, 'network'],
    ['inet_proto', 12, 1, 'network'],
    ['inet_service', 13, 2, 'network'],
    ['mark', 19, 4, 'host'],
    ['iface_index', 20, 4, 'host'],
    ['ifname', 41, 16, 'host'],
    ['verdict', abi.NFT_DATA_VERDICT, 0, 'none'],
  ];
}

const TYPE_BITS = 6;

function isNames(type: NftType): type is readonly NftTypeName[] {
  return Array.isArray(type);
}

/** A type in numbers, and the order that nft notes for it. Throws {@link WireError}. */
export function rawType(type: NftType): NftRawType & { readonly order?: ByteOrder } {
  if (!isNames(type)) return type;
  const all = types();
  const parts = type.map((name) => {
    const part = all.find(([known]) => known === name);
    if (part === undefined) throw new WireError(`${name} is no type that is known here`);
    return part;
  });
  const [first] = parts;
  if (first === undefined) throw new WireError('a type of no field');
  if (parts.length === 1) return { type: first[1], length: first[2], order: first[3] };
  return {
    type: parts.reduce((sum, [, number]) => sum * 2 ** TYPE_BITS + number, 0),
    length: parts.reduce((sum, [, , length]) => sum + align4(length), 0),
    fields: parts.map(([, , length]) => length),
    order: 'none',
  };
}

/** The names of a type, if it has some that say all of it. */
export function namedType(raw: NftRawType): NftType {
  const numbers: number[] = [];
  if (raw.type === abi.NFT_DATA_VERDICT) return ['verdict'];
  for (let rest = raw.type; rest > 0; rest = Math.floor(rest / 2 ** TYPE_BITS))
    numbers.unshift(rest % 2 ** TYPE_BITS);
  const all = types();
  const names = numbers.flatMap((number) => all.find(([, known]) => known === number)?.[0] ?? []);
  if (names.length === 0 || names.length < numbers.length) return raw;
  const whole = rawType(names);
  const sameFields =
    raw.fields === undefined ||
    (raw.fields.length === whole.fields?.length &&
      raw.fields.every((length, i) => whole.fields?.[i] === length));
  return whole.length === raw.length && sameFields ? names : raw;
}
