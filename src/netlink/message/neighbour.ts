import * as abi from '../abi/neighbour.ts';
import { type AttributesOf, attr, attributes } from '../wire/attributes.ts';
import { I32, U8, U16 } from '../wire/field.ts';
import { struct } from '../wire/struct.ts';
import { ip, mac } from '../wire/value.ts';
import { objectCodec } from './object.ts';

/** `struct ndmsg`, <linux/neighbour.h>. */
export const ndmsg = struct({
  family: U8,
  pad1: U8,
  pad2: U16,
  ifindex: I32,
  state: U16,
  flags: U8,
  type: U8,
});

/** Attributes of a neighbour: NDA_*. */
export const neighbourAttributes = attributes({
  dst: attr(abi.NDA_DST, ip),
  lladdr: attr(abi.NDA_LLADDR, mac),
});
/** The values of {@link neighbourAttributes}. */
export type NeighbourAttributes = AttributesOf<typeof neighbourAttributes>;

/** RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH. */
export const neighbourMessage = objectCodec(ndmsg, neighbourAttributes);

/** One entry of the neighbour (ARP, NDP) table. */
export interface Neighbour {
  readonly ifindex: number;
  readonly address: string;
  readonly mac: string | undefined;
  /** NUD_* bits. */
  readonly state: number;
}

/** Decodes the payload of RTM_NEWNEIGH. Throws {@link WireError}. */
export function decodeNeighbour(payload: Uint8Array): Neighbour {
  const { header, attributes: a } = neighbourMessage.decode(payload);
  return { ifindex: header.ifindex, address: a.dst ?? '', mac: a.lladdr, state: header.state };
}
