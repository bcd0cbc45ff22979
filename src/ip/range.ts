import { formatIp, type IpAddress, type IpPrefix } from './address.ts';

/** A range of addresses of one subnet, both bounds included, and the gateway, which is given to nobody. */
export interface IpRange {
  readonly subnet: IpPrefix;
  readonly rangeStart: IpAddress;
  readonly rangeEnd: IpAddress;
  readonly gateway: IpAddress;
}

/** Ranges of one family, of which a container gets one address. */
export type RangeSet = readonly IpRange[];

/** A range in words: `10.1.0.1-10.1.0.254`. */
export function describeRange(range: IpRange): string {
  return `${formatIp(range.rangeStart)}-${formatIp(range.rangeEnd)}`;
}
