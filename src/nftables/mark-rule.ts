import * as abi from '../netlink/abi/nf_tables.ts';
import type { NftVerdict } from '../netlink/message/nft-data.ts';
import type { NftExpression } from '../netlink/message/nft-expression.ts';
import { sameBytes } from '../netlink/message/nft-user-data.ts';
import { splitAttributes } from '../netlink/wire/attributes.ts';
import { string, u32 } from '../netlink/wire/value.ts';
import { compare, counter, mask, metaLoad, verdict } from './expressions.ts';

// Rules that are nothing but a test of one bit of the packet's mark with a verdict, in tables of others.

/** A mark with one bit, in the host's order as registers have it. */
export function markOf(bit: number): Uint8Array {
  return u32.encode(2 ** bit);
}

/** `meta mark & bit == bit counter verdict`. */
export function markRule(bit: number, { code, chain }: NftVerdict): NftExpression[] {
  const bits = markOf(bit);
  return [
    metaLoad('mark', abi.NFT_REG_1),
    mask(abi.NFT_REG_1, bits),
    compare(abi.NFT_REG_1, 'eq', bits),
    counter(),
    verdict(code, chain),
  ];
}

/**
 * The verdict of a rule as {@link markRule} makes it, with or without the counter; undefined for any other rule. A comment that
 * iptables has put into the rule is passed over. Throws {@link WireError}.
 */
export function readMarkRule(expressions: readonly NftExpression[], bit: number): NftVerdict | undefined {
  const [load, kept, test, end, ...more] = expressions.filter((one) => !isRemark(one));
  if (load?.name !== 'meta' || load.key !== 'mark' || kept?.name !== 'bitwise') return undefined;
  if (test?.name !== 'cmp' || test.op !== 'eq' || end?.name !== 'immediate' || more.length > 0)
    return undefined;
  const bits = markOf(bit);
  const isBit =
    sameBytes(kept.mask, bits) && sameBytes(test.data, bits) && kept.xor.every((byte) => byte === 0);
  return isBit && 'verdict' in end ? end.verdict : undefined;
}

function isRemark(expression: NftExpression): boolean {
  if (expression.name !== 'unknown') return expression.name === 'counter';
  // A match of xtables, which iptables puts into its rules.
  if (expression.kernelName !== 'match') return false;
  const name = splitAttributes(expression.data).find(({ type }) => type === abi.NFTA_MATCH_NAME);
  return name !== undefined && string.decode(name.data) === 'comment';
}
