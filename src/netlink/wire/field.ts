import type { Field } from './struct.ts';
import { be16, be32, i32, u8, u16, u32 } from './value.ts';

/** Fields of C structs in host order, named after their width. */
export const U8: Field<number> = { codec: u8, size: 1 };
export const U16: Field<number> = { codec: u16, size: 2 };
export const U32: Field<number> = { codec: u32, size: 4 };
export const I32: Field<number> = { codec: i32, size: 4 };
/** Fields in network order. */
export const BE16: Field<number> = { codec: be16, size: 2 };
export const BE32: Field<number> = { codec: be32, size: 4 };
