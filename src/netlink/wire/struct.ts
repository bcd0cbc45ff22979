import { WireError } from '../errors.ts';
import { concat } from './buffer.ts';
import type { Codec } from './value.ts';

/** A field of a fixed-size C struct: its codec and its size in bytes. */
export interface Field<T> {
  readonly codec: Codec<T>;
  readonly size: number;
}

type Fields = Readonly<Record<string, Field<number>>>;
type ValuesOf<F extends Fields> = { -readonly [K in keyof F]: number };

/** A C struct of numbers, described once; missing values are 0, trailing bytes that a newer kernel appends are accepted. */
export interface Struct<T> {
  readonly size: number;
  encode(values: Partial<T>): Uint8Array;
  decode(bytes: Uint8Array): T;
}

/** Makes both directions of a struct from its fields, in order and without implicit padding. */
export function struct<F extends Fields>(fields: F): Struct<ValuesOf<F>> {
  const entries: readonly [keyof F, Field<number>][] = Object.entries(fields);
  let size = 0;
  for (const [, field] of entries) size += field.size;
  return {
    size,
    encode: (values) => concat(entries.map(([name, field]) => field.codec.encode(values[name] ?? 0))),
    decode(bytes) {
      if (bytes.length < size) throw new WireError(`need a struct of ${size} bytes, have ${bytes.length}`);
      const values: Partial<ValuesOf<F>> = {};
      let offset = 0;
      for (const [name, field] of entries) {
        values[name] = field.codec.decode(bytes.subarray(offset, offset + field.size));
        offset += field.size;
      }
      return values as ValuesOf<F>;
    },
  };
}
