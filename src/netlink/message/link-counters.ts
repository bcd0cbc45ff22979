import { IFLA_STATS64 } from '../abi/if_link.ts';
import { splitAttributes } from '../wire/attributes.ts';
import { viewOf } from '../wire/buffer.ts';
import { type Field, struct } from '../wire/struct.ts';
import { u64 } from '../wire/value.ts';
import { ifinfomsg } from './link.ts';

/** What has passed a link since it was made, as the link itself sees it: received is what came in by it. */
export interface LinkCounters {
  readonly rxPackets: number;
  readonly txPackets: number;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly rxErrors: number;
  readonly txErrors: number;
  readonly rxDropped: number;
  readonly txDropped: number;
}

// Beyond 2^53, which a busy link of 100 Gbit/s reaches in a week, the last digits are lost.
const COUNTER: Field<number> = {
  size: 8,
  codec: {
    encode: u64.encode,
    decode: (data) => Number(viewOf(data).getBigUint64(0, true)),
  },
};

/** The beginning of `struct rtnl_link_stats64`, <linux/if_link.h>. */
const counters = struct({
  rxPackets: COUNTER,
  txPackets: COUNTER,
  rxBytes: COUNTER,
  txBytes: COUNTER,
  rxErrors: COUNTER,
  txErrors: COUNTER,
  rxDropped: COUNTER,
  txDropped: COUNTER,
});

/** Index and counters from the payload of RTM_NEWLINK; undefined if it has none. Throws {@link WireError}. */
export function decodeLinkCounters(
  payload: Uint8Array,
): { readonly index: number; readonly counters: LinkCounters } | undefined {
  const raw = splitAttributes(payload.subarray(ifinfomsg.size)).find(({ type }) => type === IFLA_STATS64);
  if (raw === undefined) return undefined;
  return { index: ifinfomsg.decode(payload).index, counters: counters.decode(raw.data) };
}
