import * as abi from '../abi/nf_tables.ts';
import { attr, attributes, nested } from '../wire/attributes.ts';
import { be32, bytes, string } from '../wire/value.ts';

// Expressions of nf_tables rules: NFTA_*, <linux/netfilter/nf_tables.h>; what each does is described in nft(8).

/** A value in registers, elements and comparisons: bytes as the packet has them, or a verdict. */
export const nftData = attributes({
  value: attr(abi.NFTA_DATA_VALUE, bytes),
  verdict: nested(
    abi.NFTA_DATA_VERDICT,
    attributes({ code: attr(abi.NFTA_VERDICT_CODE, be32), chain: attr(abi.NFTA_VERDICT_CHAIN, string) }),
  ),
});

const meta = attributes({
  dreg: attr(abi.NFTA_META_DREG, be32),
  key: attr(abi.NFTA_META_KEY, be32),
  sreg: attr(abi.NFTA_META_SREG, be32),
});
const cmp = attributes({
  sreg: attr(abi.NFTA_CMP_SREG, be32),
  op: attr(abi.NFTA_CMP_OP, be32),
  data: nested(abi.NFTA_CMP_DATA, nftData),
});
const payload = attributes({
  dreg: attr(abi.NFTA_PAYLOAD_DREG, be32),
  base: attr(abi.NFTA_PAYLOAD_BASE, be32),
  offset: attr(abi.NFTA_PAYLOAD_OFFSET, be32),
  length: attr(abi.NFTA_PAYLOAD_LEN, be32),
});
const bitwise = attributes({
  sreg: attr(abi.NFTA_BITWISE_SREG, be32),
  dreg: attr(abi.NFTA_BITWISE_DREG, be32),
  length: attr(abi.NFTA_BITWISE_LEN, be32),
  mask: nested(abi.NFTA_BITWISE_MASK, nftData),
  xor: nested(abi.NFTA_BITWISE_XOR, nftData),
});
const lookup = attributes({
  set: attr(abi.NFTA_LOOKUP_SET, string),
  sreg: attr(abi.NFTA_LOOKUP_SREG, be32),
  dreg: attr(abi.NFTA_LOOKUP_DREG, be32),
  flags: attr(abi.NFTA_LOOKUP_FLAGS, be32),
});

const immediate = attributes({
  dreg: attr(abi.NFTA_IMMEDIATE_DREG, be32),
  data: nested(abi.NFTA_IMMEDIATE_DATA, nftData),
});
const nat = attributes({
  type: attr(abi.NFTA_NAT_TYPE, be32),
  family: attr(abi.NFTA_NAT_FAMILY, be32),
  address: attr(abi.NFTA_NAT_REG_ADDR_MIN, be32),
  port: attr(abi.NFTA_NAT_REG_PROTO_MIN, be32),
});
const fib = attributes({
  dreg: attr(abi.NFTA_FIB_DREG, be32),
  result: attr(abi.NFTA_FIB_RESULT, be32),
  flags: attr(abi.NFTA_FIB_FLAGS, be32),
});
const ct = attributes({ dreg: attr(abi.NFTA_CT_DREG, be32), key: attr(abi.NFTA_CT_KEY, be32) });

// A match of xtables, which iptables puts into its rules, <linux/netfilter/nf_tables_compat.h>.
const match = attributes({ name: attr(abi.NFTA_MATCH_NAME, string) });

/** One expression of a rule: its kernel name and its encoded attributes. */
export interface Expression {
  readonly name: string;
  readonly data: Uint8Array;
}

/** Loads a `meta` key (NFT_META_*) into a register. */
export function metaLoad(key: number, dreg: number): Expression {
  return { name: 'meta', data: meta.encode({ dreg, key }) };
}

/** Goes on only if the register equals (NFT_CMP_EQ) or does not equal (NFT_CMP_NEQ) the bytes. */
export function compare(sreg: number, op: number, data: Uint8Array): Expression {
  return { name: 'cmp', data: cmp.encode({ sreg, op, data: { value: data } }) };
}

/** Loads bytes of the network header into a register. */
export function networkHeader(offset: number, length: number, dreg: number): Expression {
  const base = abi.NFT_PAYLOAD_NETWORK_HEADER;
  return { name: 'payload', data: payload.encode({ dreg, base, offset, length }) };
}

/** Goes on only with packets of a family, NFPROTO_*; the first register is overwritten. */
export function isFamily(family: number): Expression[] {
  return [
    metaLoad(abi.NFT_META_NFPROTO, abi.NFT_REG_1),
    compare(abi.NFT_REG_1, abi.NFT_CMP_EQ, Uint8Array.of(family)),
  ];
}

/** Loads bytes of the link-layer header into a register: in Ethernet the destination, the source, the protocol. */
export function linkHeader(offset: number, length: number, dreg: number): Expression {
  const base = abi.NFT_PAYLOAD_LL_HEADER;
  return { name: 'payload', data: payload.encode({ dreg, base, offset, length }) };
}

/** Loads bytes of the transport header into a register. */
export function transportHeader(offset: number, length: number, dreg: number): Expression {
  const base = abi.NFT_PAYLOAD_TRANSPORT_HEADER;
  return { name: 'payload', data: payload.encode({ dreg, base, offset, length }) };
}

/** Loads the type of the destination address as the host's routing sees it, RTN_*, into a register. */
export function destinationType(dreg: number): Expression {
  const result = abi.NFT_FIB_RESULT_ADDRTYPE;
  return { name: 'fib', data: fib.encode({ dreg, result, flags: abi.NFTA_FIB_F_DADDR }) };
}

/** Loads the status bits of the packet's connection, IPS_*, into a register. */
export function connectionStatus(dreg: number): Expression {
  return { name: 'ct', data: ct.encode({ dreg, key: abi.NFT_CT_STATUS }) };
}

/** Loads the state bits of the packet's connection into a register: 2 established, 4 related. */
export function connectionState(dreg: number): Expression {
  return { name: 'ct', data: ct.encode({ dreg, key: abi.NFT_CT_STATE }) };
}

/** Sets `meta` keys (NFT_META_*) from a register. */
export function metaSet(key: number, sreg: number): Expression {
  return { name: 'meta', data: meta.encode({ key, sreg }) };
}

/** Sets bits of a register, and leaves the others. */
export function setBits(reg: number, bits: Uint8Array): Expression {
  const others = { value: bits.map((byte) => ~byte & 0xff) };
  return {
    name: 'bitwise',
    data: bitwise.encode({ sreg: reg, dreg: reg, length: bits.length, mask: others, xor: { value: bits } }),
  };
}

/** Counts packets and bytes. */
export function counter(): Expression {
  return { name: 'counter', data: new Uint8Array(0) };
}

/** Keeps only the masked bits of a register. */
export function mask(reg: number, bits: Uint8Array): Expression {
  const xor = { value: new Uint8Array(bits.length) };
  return {
    name: 'bitwise',
    data: bitwise.encode({ sreg: reg, dreg: reg, length: bits.length, mask: { value: bits }, xor }),
  };
}

/** Goes on only if the register is in the set, or, inverted, if it is not. */
export function inSet(name: string, sreg: number, inverted = false): Expression {
  return {
    name: 'lookup',
    data: lookup.encode({ set: name, sreg, flags: inverted ? abi.NFT_LOOKUP_F_INV : 0 }),
  };
}

/** Goes on only if the register is a key of the map, and loads what it leads to into another. */
export function mapLookup(name: string, sreg: number, dreg: number): Expression {
  return { name: 'lookup', data: lookup.encode({ set: name, sreg, dreg }) };
}

/** Ends here: NF_ACCEPT, NF_DROP, or NFT_RETURN; or goes on in a chain: NFT_GOTO, NFT_JUMP. */
export function verdict(code: number, chain?: string): Expression {
  const data = { verdict: { code: code >>> 0, chain } };
  return { name: 'immediate', data: immediate.encode({ dreg: abi.NFT_REG_VERDICT, data }) };
}

/** Replaces destination address and port by those in the registers; `family` is NFPROTO_*. */
export function destinationNat(family: number, address: number, port: number): Expression {
  return { name: 'nat', data: nat.encode({ type: abi.NFT_NAT_DNAT, family, address, port }) };
}

/** Replaces the source address by that of the outgoing interface. */
export function masquerade(): Expression {
  return { name: 'masq', data: new Uint8Array(0) };
}

/** What a rule tests and does that is nothing but a test of the packet's mark with a verdict. */
export interface MarkRule {
  readonly mask: Uint8Array;
  readonly value: Uint8Array;
  /** NF_ACCEPT and others, and the chain that NFT_JUMP and NFT_GOTO lead to. */
  readonly verdict: number;
  readonly chain: string | undefined;
}

/**
 * Reads `meta mark & mask == value [counter] verdict`; undefined for any other rule. A comment that iptables has put into the
 * rule is passed over. Throws {@link WireError}.
 */
export function readMarkRule(expressions: readonly Expression[]): MarkRule | undefined {
  const [load, bits, test, end, ...more] = expressions.filter((one) => !isRemark(one));
  if (load?.name !== 'meta' || bits?.name !== 'bitwise' || test?.name !== 'cmp') return undefined;
  if (end?.name !== 'immediate' || more.length > 0) return undefined;
  if (meta.decode(load.data).key !== abi.NFT_META_MARK) return undefined;
  const { mask: kept, xor } = bitwise.decode(bits.data);
  const { op, data } = cmp.decode(test.data);
  const last = immediate.decode(end.data).data?.verdict;
  if (kept?.value === undefined || data?.value === undefined || last?.code === undefined) return undefined;
  if (op !== abi.NFT_CMP_EQ || xor?.value?.some((byte) => byte !== 0) === true) return undefined;
  return { mask: kept.value, value: data.value, verdict: last.code | 0, chain: last.chain };
}

function isRemark({ name, data }: Expression): boolean {
  return name === 'counter' || (name === 'match' && match.decode(data).name === 'comment');
}
