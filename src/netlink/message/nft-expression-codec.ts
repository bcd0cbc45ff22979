import * as abi from '../abi/nf_tables.ts';
import { WireError } from '../errors.ts';
import { attr, attributes, nested } from '../wire/attributes.ts';
import { be32, be64Exact, bytes, type Codec, lazy, string, u8 } from '../wire/value.ts';
import { nftData, nftValue } from './nft-data.ts';
import type { NftExpression } from './nft-expression.ts';
import { enumNames, flagNames } from './nft-kernel-names.ts';
import { bitsOf, given, oneOf } from './nft-names.ts';

// Attributes in the order in which nft sends them.
const natFlags = lazy(() => bitsOf(flagNames().NF_NAT_RANGE_));
const expressionCodec = lazy(() =>
  attributes({
    name: attr(abi.NFTA_EXPR_NAME, string),
    data: nested(abi.NFTA_EXPR_DATA, bytes),
  }),
);
const meta = lazy(() =>
  attributes({
    key: attr(abi.NFTA_META_KEY, oneOf(enumNames().NFT_META_)),
    dreg: attr(abi.NFTA_META_DREG, be32),
    sreg: attr(abi.NFTA_META_SREG, be32),
  }),
);
const ct = lazy(() =>
  attributes({
    key: attr(abi.NFTA_CT_KEY, oneOf(enumNames().NFT_CT_)),
    dreg: attr(abi.NFTA_CT_DREG, be32),
    direction: attr(abi.NFTA_CT_DIRECTION, u8),
    sreg: attr(abi.NFTA_CT_SREG, be32),
  }),
);
const cmp = lazy(() =>
  attributes({
    sreg: attr(abi.NFTA_CMP_SREG, be32),
    op: attr(abi.NFTA_CMP_OP, oneOf(enumNames().NFT_CMP_)),
    data: nested(abi.NFTA_CMP_DATA, nftValue),
  }),
);
const range = lazy(() =>
  attributes({
    sreg: attr(abi.NFTA_RANGE_SREG, be32),
    op: attr(abi.NFTA_RANGE_OP, oneOf(enumNames().NFT_RANGE_)),
    from: nested(abi.NFTA_RANGE_FROM_DATA, nftValue),
    to: nested(abi.NFTA_RANGE_TO_DATA, nftValue),
  }),
);
const payload = lazy(() =>
  attributes({
    dreg: attr(abi.NFTA_PAYLOAD_DREG, be32),
    sreg: attr(abi.NFTA_PAYLOAD_SREG, be32),
    base: attr(abi.NFTA_PAYLOAD_BASE, oneOf(enumNames().NFT_PAYLOAD_)),
    offset: attr(abi.NFTA_PAYLOAD_OFFSET, be32),
    length: attr(abi.NFTA_PAYLOAD_LEN, be32),
    csumType: attr(abi.NFTA_PAYLOAD_CSUM_TYPE, be32),
    csumOffset: attr(abi.NFTA_PAYLOAD_CSUM_OFFSET, be32),
    csumFlags: attr(abi.NFTA_PAYLOAD_CSUM_FLAGS, be32),
  }),
);
const bitwise = lazy(() =>
  attributes({
    sreg: attr(abi.NFTA_BITWISE_SREG, be32),
    dreg: attr(abi.NFTA_BITWISE_DREG, be32),
    op: attr(abi.NFTA_BITWISE_OP, be32),
    length: attr(abi.NFTA_BITWISE_LEN, be32),
    mask: nested(abi.NFTA_BITWISE_MASK, nftValue),
    xor: nested(abi.NFTA_BITWISE_XOR, nftValue),
  }),
);
const lookup = lazy(() =>
  attributes({
    sreg: attr(abi.NFTA_LOOKUP_SREG, be32),
    dreg: attr(abi.NFTA_LOOKUP_DREG, be32),
    set: attr(abi.NFTA_LOOKUP_SET, string),
    setId: attr(abi.NFTA_LOOKUP_SET_ID, be32),
    flags: attr(abi.NFTA_LOOKUP_FLAGS, be32),
  }),
);
const immediate = lazy(() =>
  attributes({
    dreg: attr(abi.NFTA_IMMEDIATE_DREG, be32),
    data: nested(abi.NFTA_IMMEDIATE_DATA, nftData),
  }),
);
const nat = lazy(() =>
  attributes({
    type: attr(abi.NFTA_NAT_TYPE, oneOf(enumNames().NFT_NAT_)),
    family: attr(abi.NFTA_NAT_FAMILY, be32),
    addrMin: attr(abi.NFTA_NAT_REG_ADDR_MIN, be32),
    addrMax: attr(abi.NFTA_NAT_REG_ADDR_MAX, be32),
    protoMin: attr(abi.NFTA_NAT_REG_PROTO_MIN, be32),
    protoMax: attr(abi.NFTA_NAT_REG_PROTO_MAX, be32),
    flags: attr(abi.NFTA_NAT_FLAGS, natFlags),
  }),
);
const masq = lazy(() =>
  attributes({
    flags: attr(abi.NFTA_MASQ_FLAGS, natFlags),
    protoMin: attr(abi.NFTA_MASQ_REG_PROTO_MIN, be32),
    protoMax: attr(abi.NFTA_MASQ_REG_PROTO_MAX, be32),
  }),
);
const redir = lazy(() =>
  attributes({
    protoMin: attr(abi.NFTA_REDIR_REG_PROTO_MIN, be32),
    protoMax: attr(abi.NFTA_REDIR_REG_PROTO_MAX, be32),
    flags: attr(abi.NFTA_REDIR_FLAGS, natFlags),
  }),
);
const fib = lazy(() =>
  attributes({
    flags: attr(abi.NFTA_FIB_FLAGS, bitsOf(flagNames().NFTA_FIB_F_)),
    result: attr(abi.NFTA_FIB_RESULT, oneOf(enumNames().NFT_FIB_RESULT_)),
    dreg: attr(abi.NFTA_FIB_DREG, be32),
  }),
);
const counter = lazy(() =>
  attributes({
    bytes: attr(abi.NFTA_COUNTER_BYTES, be64Exact),
    packets: attr(abi.NFTA_COUNTER_PACKETS, be64Exact),
  }),
);
const reject = lazy(() =>
  attributes({
    type: attr(abi.NFTA_REJECT_TYPE, oneOf(enumNames().NFT_REJECT_)),
    code: attr(abi.NFTA_REJECT_ICMP_CODE, u8),
  }),
);

function encodeData(expression: NftExpression): Uint8Array {
  switch (expression.name) {
    case 'meta':
      return meta.encode(expression);
    case 'ct':
      return ct.encode(expression);
    case 'cmp':
      return cmp.encode(expression);
    case 'range':
      return range.encode(expression);
    case 'payload':
      return payload.encode(expression);
    case 'bitwise':
      return bitwise.encode(expression);
    case 'lookup':
      return lookup.encode({
        ...expression,
        flags: expression.inverted === true ? abi.NFT_LOOKUP_F_INV : undefined,
      });
    case 'immediate':
      return 'verdict' in expression
        ? immediate.encode({ dreg: abi.NFT_REG_VERDICT, data: { verdict: expression.verdict } })
        : immediate.encode({ dreg: expression.dreg, data: { value: expression.data } });
    case 'nat':
      return nat.encode(expression);
    case 'masq':
    case 'redir':
      return (expression.name === 'masq' ? masq : redir).encode(expression);
    case 'fib':
      return fib.encode(expression);
    case 'counter':
      return counter.encode(expression);
    case 'reject':
      return reject.encode(expression);
    case 'unknown':
      return expression.data;
  }
}

type Register = { dreg: number } | { sreg: number } | undefined;
function register(dreg: number | undefined, sreg: number | undefined): Register {
  if (dreg !== undefined) return sreg === undefined ? { dreg } : undefined;
  return sreg === undefined ? undefined : { sreg };
}

/** What is said here of an expression; undefined if that is not all of it. */
function decodeKnown(name: string, data: Uint8Array): NftExpression | undefined {
  switch (name) {
    case 'meta': {
      const { key, dreg, sreg, unknown } = meta.decode(data);
      const reg = register(dreg, sreg);
      if (key === undefined || reg === undefined || unknown !== undefined) return undefined;
      return { name, key, ...reg };
    }
    case 'ct': {
      const { key, dreg, sreg, direction, unknown } = ct.decode(data);
      const reg = register(dreg, sreg);
      if (key === undefined || reg === undefined || unknown !== undefined) return undefined;
      return { name, key, ...reg, ...given({ direction }) };
    }
    case 'cmp': {
      const { sreg, op, data: value, unknown } = cmp.decode(data);
      if (sreg === undefined || op === undefined || value === undefined || unknown !== undefined)
        return undefined;
      return { name, sreg, op, data: value };
    }
    case 'range': {
      const { sreg, op, from, to, unknown } = range.decode(data);
      if (sreg === undefined || op === undefined || from === undefined || to === undefined) return undefined;
      return unknown === undefined ? { name, sreg, op, from, to } : undefined;
    }
    case 'payload': {
      const { base, offset, length, dreg, sreg, unknown, ...csum } = payload.decode(data);
      const reg = register(dreg, sreg);
      if (base === undefined || offset === undefined || length === undefined) return undefined;
      if (reg === undefined || unknown !== undefined) return undefined;
      return { name, base, offset, length, ...reg, ...given(csum) };
    }
    case 'bitwise': {
      const { sreg, dreg, length, mask, xor, op = 0, unknown } = bitwise.decode(data);
      if (sreg === undefined || dreg === undefined || length === undefined) return undefined;
      if (mask === undefined || xor === undefined || op !== 0 || unknown !== undefined) return undefined;
      return { name, sreg, dreg, length, mask, xor };
    }
    case 'lookup': {
      const { set, sreg, dreg, setId, flags = 0, unknown } = lookup.decode(data);
      if (set === undefined || sreg === undefined || unknown !== undefined) return undefined;
      if ((flags & ~abi.NFT_LOOKUP_F_INV) !== 0) return undefined;
      const inverted = flags === 0 ? undefined : true;
      return { name, set, sreg, ...given({ dreg, setId, inverted } as const) };
    }
    case 'immediate': {
      const { dreg, data: value, unknown } = immediate.decode(data);
      if (dreg === undefined || value === undefined || unknown !== undefined) return undefined;
      if ('value' in value) return { name, dreg, data: value.value };
      return dreg === abi.NFT_REG_VERDICT ? { name, verdict: value.verdict } : undefined;
    }
    case 'nat': {
      const { type, family, unknown, ...rest } = nat.decode(data);
      if (type === undefined || family === undefined || unknown !== undefined) return undefined;
      return { name, type, family, ...given(rest) };
    }
    case 'masq':
    case 'redir': {
      const { unknown, ...rest } = (name === 'masq' ? masq : redir).decode(data);
      return unknown === undefined ? { name, ...given(rest) } : undefined;
    }
    case 'fib': {
      const { dreg, result, flags, unknown } = fib.decode(data);
      if (dreg === undefined || result === undefined || flags === undefined || unknown !== undefined)
        return undefined;
      return { name, dreg, result, flags };
    }
    case 'counter': {
      const { unknown, ...rest } = counter.decode(data);
      return unknown === undefined ? { name, ...given(rest) } : undefined;
    }
    case 'reject': {
      const { type, code, unknown } = reject.decode(data);
      if (type === undefined || unknown !== undefined) return undefined;
      return { name, type, ...given({ code }) };
    }
    default:
      return undefined;
  }
}

/** One expression: NFTA_EXPR_*. What is not known here is read as `unknown` and written as it was. */
export const nftExpression: Codec<NftExpression> = {
  encode(expression) {
    const name = expression.name === 'unknown' ? expression.kernelName : expression.name;
    return expressionCodec.encode({ name, data: encodeData(expression) });
  },
  decode(encoded) {
    const { name, data = new Uint8Array(0) } = expressionCodec.decode(encoded);
    if (name === undefined) throw new WireError('an expression of nf_tables without a name');
    return decodeKnown(name, data) ?? { name: 'unknown', kernelName: name, data };
  },
};
