import * as abi from '../netlink/abi/nf_tables.ts';
import type { NftVerdictCode } from '../netlink/message/nft-data.ts';
import type { NftExpression, NftMetaKey, NftRegister } from '../netlink/message/nft-expression.ts';

// The expressions of our rules, in short.

/** Loads a `meta` key into a register. */
export function metaLoad(key: NftMetaKey, dreg: NftRegister): NftExpression {
  return { name: 'meta', key, dreg };
}

/** Goes on only if the register equals, or does not equal, the bytes. */
export function compare(sreg: NftRegister, op: 'eq' | 'neq', data: Uint8Array): NftExpression {
  return { name: 'cmp', sreg, op, data };
}

/** Loads bytes of the network header into a register. */
export function networkHeader(offset: number, length: number, dreg: NftRegister): NftExpression {
  return { name: 'payload', base: 'network_header', offset, length, dreg };
}

/** Goes on only with packets of a family, NFPROTO_*; the first register is overwritten. */
export function isFamily(family: number): NftExpression[] {
  return [metaLoad('nfproto', abi.NFT_REG_1), compare(abi.NFT_REG_1, 'eq', Uint8Array.of(family))];
}

/** Loads bytes of the link-layer header into a register: in Ethernet the destination, the source, the protocol. */
export function linkHeader(offset: number, length: number, dreg: NftRegister): NftExpression {
  return { name: 'payload', base: 'll_header', offset, length, dreg };
}

/** Loads bytes of the transport header into a register. */
export function transportHeader(offset: number, length: number, dreg: NftRegister): NftExpression {
  return { name: 'payload', base: 'transport_header', offset, length, dreg };
}

/** Loads the type of the destination address as the host's routing sees it, RTN_*, into a register. */
export function destinationType(dreg: NftRegister): NftExpression {
  return { name: 'fib', dreg, result: 'addrtype', flags: ['daddr'] };
}

/** Loads the status bits of the packet's connection, IPS_*, into a register. */
export function connectionStatus(dreg: NftRegister): NftExpression {
  return { name: 'ct', key: 'status', dreg };
}

/** Loads the state bits of the packet's connection into a register: 2 established, 4 related. */
export function connectionState(dreg: NftRegister): NftExpression {
  return { name: 'ct', key: 'state', dreg };
}

/** Sets a `meta` key from a register. */
export function metaSet(key: NftMetaKey, sreg: NftRegister): NftExpression {
  return { name: 'meta', key, sreg };
}

/** Sets bits of a register, and leaves the others. */
export function setBits(reg: NftRegister, bits: Uint8Array): NftExpression {
  const others = bits.map((byte) => ~byte & 0xff);
  return { name: 'bitwise', sreg: reg, dreg: reg, length: bits.length, mask: others, xor: bits };
}

/** Counts packets and bytes. */
export function counter(): NftExpression {
  return { name: 'counter' };
}

/** Keeps only the masked bits of a register. */
export function mask(reg: NftRegister, bits: Uint8Array): NftExpression {
  const { length } = bits;
  return { name: 'bitwise', sreg: reg, dreg: reg, length, mask: bits, xor: new Uint8Array(length) };
}

/** Goes on only if the register is in the set, or, inverted, if it is not. */
export function inSet(set: string, sreg: NftRegister, inverted = false): NftExpression {
  return { name: 'lookup', set, sreg, ...(inverted ? { inverted: true } : {}) };
}

/** Goes on only if the register is a key of the map, and loads what it leads to into another. */
export function mapLookup(set: string, sreg: NftRegister, dreg: NftRegister): NftExpression {
  return { name: 'lookup', set, sreg, dreg };
}

/** Ends here, or goes on in a chain. */
export function verdict(code: NftVerdictCode, chain?: string): NftExpression {
  return { name: 'immediate', verdict: { code, ...(chain === undefined ? {} : { chain }) } };
}

/** Replaces destination address and port by those in the registers; `family` is NFPROTO_*. */
export function destinationNat(family: number, addrMin: NftRegister, protoMin: NftRegister): NftExpression {
  return { name: 'nat', type: 'dnat', family, addrMin, protoMin };
}

/** Replaces the source address by that of the outgoing interface. */
export function masquerade(): NftExpression {
  return { name: 'masq' };
}
