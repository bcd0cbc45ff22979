import { ConfigError } from '../errors.ts';
import { formatIp, type IpAddress, sameIp } from '../ip/address.ts';
import { describeRange, type RangeSet } from '../ip/range.ts';
import { type Candidate, inRange, isGateway } from './candidates.ts';

/**
 * Finds the range set of each requested address: a set gives one address, so it takes one request at
 * most, however often that is made.
 *
 * @returns the requests by the index of their set
 * @throws ConfigError for an address that is in no range, is a gateway, or is another one for a set that has one
 */
export function matchRequests(
  sets: readonly RangeSet[],
  requested: readonly IpAddress[],
): ReadonlyMap<number, Candidate> {
  const matched = new Map<number, Candidate>();
  for (const ip of requested) {
    const name = formatIp(ip);
    const index = sets.findIndex((set) => set.some((range) => inRange(range, ip)));
    const set = sets[index];
    const range = set?.find((candidate) => inRange(candidate, ip));
    if (set === undefined || range === undefined) {
      throw new ConfigError('ips', `${name} is in none of ${sets.flat().map(describeRange).join(', ')}`);
    }
    if (isGateway(set, ip)) throw new ConfigError('ips', `${name} is the gateway of its subnet`);
    const other = matched.get(index);
    if (other !== undefined && !sameIp(other.ip, ip)) {
      throw new ConfigError(
        'ips',
        `${name} and ${formatIp(other.ip)} are of one range set, which gives one address`,
      );
    }
    matched.set(index, { range, ip });
  }
  return matched;
}
