import * as abi from '../abi/nf_tables.ts';
import { WireError } from '../errors.ts';
import { attr, attributes, nested } from '../wire/attributes.ts';
import { be32, bytes, type Codec, lazy, string } from '../wire/value.ts';
import { given, oneOf } from './nft-names.ts';

/** What becomes of a packet, in the words of nft(8), or the number: NF_* and NFT_*; `jump` and `goto` go to a chain. */
export type NftVerdictCode =
  | 'accept'
  | 'drop'
  | 'stolen'
  | 'queue'
  | 'continue'
  | 'break'
  | 'jump'
  | 'goto'
  | 'return'
  | number;

/** A verdict, and where it leads: the chain of `jump` and `goto`. */
export interface NftVerdict {
  readonly code: NftVerdictCode;
  readonly chain?: string;
  /** Instead of its name, the chain's `id` in the same transaction. */
  readonly chainId?: number;
}

/** What a register or an element can hold: bytes as packets have them, or a verdict. */
export type NftData = { readonly value: Uint8Array } | { readonly verdict: NftVerdict };

function makeData(): Codec<NftData> {
  const verdict = attributes({
    code: attr(
      abi.NFTA_VERDICT_CODE,
      // NFT_RETURN is -5, NF_DROP 0.
      oneOf(
        ['return', 'goto', 'jump', 'break', 'continue', 'drop', 'accept', 'stolen', 'queue'],
        abi.NFT_RETURN,
      ),
    ),
    chain: attr(abi.NFTA_VERDICT_CHAIN, string),
    chainId: attr(abi.NFTA_VERDICT_CHAIN_ID, be32),
  });
  const data = attributes({
    value: attr(abi.NFTA_DATA_VALUE, bytes),
    verdict: nested(abi.NFTA_DATA_VERDICT, verdict),
  });
  return {
    encode: (one) => data.encode(one),
    decode(encoded) {
      const { value, verdict: found } = data.decode(encoded);
      if (value !== undefined) return { value };
      if (found?.code === undefined) throw new WireError('nf_tables data without value and verdict');
      const { code, chain, chainId } = found;
      return { verdict: { code, ...given({ chain, chainId }) } };
    },
  };
}

/** NFTA_DATA_*: a value or a verdict. */
export const nftData = lazy(makeData);

/** Data that can only be bytes. */
export const nftValue: Codec<Uint8Array> = {
  encode: (value) => nftData.encode({ value }),
  decode(encoded) {
    const data = nftData.decode(encoded);
    if (!('value' in data)) throw new WireError('nf_tables data has a verdict in the place of a value');
    return data.value;
  },
};
