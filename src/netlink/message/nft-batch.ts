import * as abi from '../abi/nf_tables.ts';
import {
  NFNL_BATCH_GENID,
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFNL_SUBSYS_NFTABLES,
} from '../abi/nfnetlink.ts';
import type { Request } from '../request.ts';
import { encodeAttribute, splitAttributes } from '../wire/attributes.ts';
import { concat } from '../wire/buffer.ts';
import { be32 } from '../wire/value.ts';
import { nfgenmsg } from './nfgenmsg.ts';

/** The request for the generation of the ruleset, which each transaction that changes something moves on. */
export function getGeneration(): Request {
  return {
    type: (NFNL_SUBSYS_NFTABLES << 8) | abi.NFT_MSG_GETGEN,
    name: 'NFT_MSG_GETGEN',
    payload: nfgenmsg(0),
    what: 'get the generation of the ruleset',
  };
}

/** The generation in the answer to {@link getGeneration}. Throws {@link WireError}. */
export function decodeGeneration(answer: Uint8Array): number {
  const id = splitAttributes(answer.subarray(4)).find(({ type }) => type === abi.NFTA_GEN_ID);
  return id === undefined ? 0 : be32.decode(id.data);
}

/**
 * NFNL_MSG_BATCH_BEGIN and NFNL_MSG_BATCH_END around a transaction of nf_tables. One that begins with a generation is
 * refused with ERESTART if somebody has changed the ruleset since.
 */
export function batchBoundary(end: boolean, since?: number): Request {
  const header = nfgenmsg(0, NFNL_SUBSYS_NFTABLES);
  return {
    type: end ? NFNL_MSG_BATCH_END : NFNL_MSG_BATCH_BEGIN,
    name: end ? 'NFNL_MSG_BATCH_END' : 'NFNL_MSG_BATCH_BEGIN',
    payload:
      since === undefined ? header : concat([header, encodeAttribute(NFNL_BATCH_GENID, be32.encode(since))]),
    what: 'nftables transaction',
  };
}
