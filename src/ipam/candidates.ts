import type { IpAddress } from '../ip/address.ts';
import type { IpRange, RangeSet } from '../ip/range.ts';

/** An address that may be given out, and the range that it is of. */
export interface Candidate {
  readonly range: IpRange;
  readonly ip: IpAddress;
}

/** Whether `ip` lies between the bounds of `range`. */
export function inRange(range: IpRange, ip: IpAddress): boolean {
  const { rangeStart, rangeEnd } = range;
  return ip.family === rangeStart.family && ip.value >= rangeStart.value && ip.value <= rangeEnd.value;
}

/** Whether `ip` is the gateway of any range of the set. */
export function isGateway(set: RangeSet, ip: IpAddress): boolean {
  return set.some(({ gateway }) => gateway.family === ip.family && gateway.value === ip.value);
}

/**
 * Every address of the set once, without the gateways, as host-local's iterator goes: from behind `last` to the end
 * of its range, through the other ranges, and round to `last` itself. Starts at the first range if `last` is in none.
 */
export function* candidates(set: RangeSet, last: IpAddress | undefined): Generator<Candidate> {
  const at = last === undefined ? -1 : set.findIndex((range) => inRange(range, last));
  const head = set[at];
  const parts =
    head === undefined || last === undefined
      ? set.map(whole)
      : [
          { range: head, from: last.value + 1n, to: head.rangeEnd.value },
          ...set.slice(at + 1).map(whole),
          ...set.slice(0, at).map(whole),
          { range: head, from: head.rangeStart.value, to: last.value },
        ];
  const gateways = new Set(set.map(({ gateway }) => gateway.value));
  for (const { range, from, to } of parts) {
    for (let value = from; value <= to; value++) {
      if (!gateways.has(value)) yield { range, ip: { family: range.subnet.address.family, value } };
    }
  }
}

function whole(range: IpRange): { range: IpRange; from: bigint; to: bigint } {
  return { range, from: range.rangeStart.value, to: range.rangeEnd.value };
}
