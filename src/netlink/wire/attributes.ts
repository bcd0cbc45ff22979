import { WireError } from '../errors.ts';
import { align4, concat, slice, viewOf } from './buffer.ts';
import type { Codec } from './value.ts';

/** NLA_F_NESTED and NLA_F_NET_BYTEORDER: flags in the upper bits of an attribute's type. */
export const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const HEADER = 4;

/** An attribute as it stands on the wire: a type and its payload. */
export interface RawAttribute {
  readonly type: number;
  readonly data: Uint8Array;
}

/** Encodes one attribute (`struct nlattr`), padded to 4 bytes. Throws {@link WireError} beyond 64 KiB. */
export function encodeAttribute(type: number, data: Uint8Array): Uint8Array {
  const length = HEADER + data.length;
  if (length > 0xffff) throw new WireError(`attribute ${type} of ${data.length} bytes is too long`);
  const out = new Uint8Array(align4(length));
  const view = viewOf(out);
  view.setUint16(0, length, true);
  view.setUint16(2, type, true);
  out.set(data, HEADER);
  return out;
}

/** Splits a run of attributes; flag bits are removed from the types. Throws {@link WireError} on an overrun. */
export function splitAttributes(data: Uint8Array): RawAttribute[] {
  const all: RawAttribute[] = [];
  const view = viewOf(data);
  let offset = 0;
  // Less than a header at the end is padding.
  while (data.length - offset >= HEADER) {
    const length = view.getUint16(offset, true);
    if (length < HEADER) throw new WireError(`attribute at ${offset} has length ${length}`);
    all.push({
      type: view.getUint16(offset + 2, true) & NLA_TYPE_MASK,
      data: slice(data, offset + HEADER, length - HEADER),
    });
    offset += align4(length);
  }
  return all;
}

/** How an attribute of a set is written: its number, its codec, whether it carries NLA_F_NESTED. */
export interface Attribute<T> {
  readonly type: number;
  readonly codec: Codec<T>;
  readonly nested: boolean;
}

/** An attribute with a plain value. */
export function attr<T>(type: number, codec: Codec<T>): Attribute<T> {
  return { type, codec, nested: false };
}

/** An attribute that holds attributes. */
export function nested<T>(type: number, codec: Codec<T>): Attribute<T> {
  return { type, codec, nested: true };
}

// biome-ignore lint/suspicious/noExplicitAny: the element type of a heterogeneous record cannot be named
type Spec = Readonly<Record<string, Attribute<any>>>;
type Values<S extends Spec> = {
  [K in keyof S]?: (S[K] extends Attribute<infer T> ? T : never) | undefined;
};

/** The values of an attribute set; `unknown` keeps what this library has no name for. */
export type AttributesOf<C> = C extends Codec<infer T> ? T : never;

/**
 * A set of attributes, described once. What is undefined is not sent; attributes without a name here are kept
 * in `unknown` and sent again by `encode`, after the others.
 */
export function attributes<S extends Spec>(
  spec: S,
): Codec<Values<S> & { unknown?: RawAttribute[] | undefined }> {
  let names: Map<number, keyof S> | undefined;
  return {
    encode(values) {
      const parts: Uint8Array[] = [];
      for (const name in spec) {
        const value = values[name];
        const attribute = spec[name];
        if (value === undefined || attribute === undefined) continue;
        const type = attribute.nested ? attribute.type | NLA_F_NESTED : attribute.type;
        parts.push(encodeAttribute(type, attribute.codec.encode(value)));
      }
      for (const raw of values.unknown ?? []) parts.push(encodeAttribute(raw.type, raw.data));
      return concat(parts);
    },
    decode(data) {
      const values: Values<S> & { unknown?: RawAttribute[] | undefined } = {};
      // Made when it is needed first: most sets of a process are never decoded.
      names ??= new Map(Object.keys(spec).map((name) => [spec[name]?.type ?? -1, name]));
      for (const raw of splitAttributes(data)) {
        const name = names.get(raw.type);
        if (name === undefined) {
          values.unknown ??= [];
          values.unknown.push({ type: raw.type, data: raw.data.slice() });
        } else {
          values[name] = spec[name]?.codec.decode(raw.data);
        }
      }
      return values;
    },
  };
}

/** A list: the same attribute type again and again inside a nest (NFTA_LIST_ELEM), each a nest itself unless `plain`. */
export function listOf<T>(type: number, codec: Codec<T>, kind?: 'plain'): Codec<readonly T[]> {
  const marked = kind === 'plain' ? type : type | NLA_F_NESTED;
  return {
    encode: (values) => concat(values.map((value) => encodeAttribute(marked, codec.encode(value)))),
    decode: (data) => splitAttributes(data).map((raw) => codec.decode(raw.data)),
  };
}
