import { ConfigError } from '../errors.ts';
import {
  addressBits,
  contains,
  type Family,
  formatIp,
  formatPrefix,
  type IpAddress,
  type IpPrefix,
  lastOf,
  networkOf,
  parseIp,
  parsePrefix,
  sameIp,
} from '../ip/address.ts';
import type { RawRange } from './raw.ts';
import { notAllowed } from './validate.ts';

/** One range of addresses of host-local, checked; bounds and gateway that are missing take their defaults later. */
export interface RangeInput {
  readonly subnet: string;
  readonly rangeStart?: string;
  readonly rangeEnd?: string;
  readonly gateway?: string;
}

/** A range as it stands in the document, and where. */
export interface PlacedRange {
  readonly path: string;
  readonly raw: RawRange;
}

/** A checked range and what it spans. */
interface Span {
  readonly path: string;
  readonly input: RangeInput;
  readonly family: Family;
  readonly start: bigint;
  readonly end: bigint;
}

/**
 * Checks range sets as host-local does, and what that lets through: a bound on the network or broadcast address,
 * a gateway outside the subnet.
 *
 * @returns the same sets, without nulls and empty strings
 * @throws ConfigError with the path of the value at fault
 */
export function checkedRangeSets(sets: readonly (readonly PlacedRange[])[]): RangeInput[][] {
  const earlier: Span[] = [];
  return sets.map((set) => {
    const spans = set.map(checkedRange);
    for (const span of spans) {
      const first = spans[0];
      if (first !== undefined && span.family !== first.family) {
        const allowed = `IPv${first.family} only, as ${first.path}: one range set is of one family`;
        throw notAllowed(`${span.path}.subnet`, span.input.subnet, allowed);
      }
      const other = earlier.find(
        (it) => it.family === span.family && it.start <= span.end && span.start <= it.end,
      );
      if (other !== undefined) {
        throw new ConfigError(
          `${span.path}.subnet`,
          `${span.input.subnet} overlaps ${other.path} (${other.input.subnet})`,
        );
      }
      earlier.push(span);
    }
    return spans.map((span) => span.input);
  });
}

function checkedRange({ path, raw }: PlacedRange): Span {
  const subnet = checkedSubnet(`${path}.subnet`, raw.subnet);
  const { family } = subnet.address;
  const start = bound(`${path}.rangeStart`, raw.rangeStart, subnet);
  const end = bound(`${path}.rangeEnd`, raw.rangeEnd, subnet);
  const gateway = bound(`${path}.gateway`, raw.gateway, subnet);
  const startValue = start?.value ?? subnet.address.value + 1n;
  const endValue = end?.value ?? lastOf(subnet).value - (family === 4 ? 1n : 0n);
  if (startValue > endValue) {
    const key = end === undefined ? 'rangeStart' : 'rangeEnd';
    throw notAllowed(`${path}.${key}`, raw[key], 'a rangeStart that is not above rangeEnd');
  }
  const input: RangeInput = {
    subnet: raw.subnet,
    ...(start === undefined ? {} : { rangeStart: formatIp(start) }),
    ...(end === undefined ? {} : { rangeEnd: formatIp(end) }),
    ...(gateway === undefined ? {} : { gateway: formatIp(gateway) }),
  };
  return { path, input, family, start: startValue, end: endValue };
}

function checkedSubnet(path: string, text: string): IpPrefix {
  const subnet = parsePrefix(text);
  if (subnet === undefined) throw notAllowed(path, text, 'a network in CIDR notation such as 10.1.0.0/16');
  const network = networkOf(subnet);
  if (!sameIp(network, subnet.address)) {
    const hint = formatPrefix({ address: network, prefixLength: subnet.prefixLength });
    throw notAllowed(path, text, `a network without host bits, here ${hint}`);
  }
  const longest = addressBits(network.family) - 2;
  if (subnet.prefixLength > longest) {
    throw notAllowed(path, text, `a network with room for addresses, /${longest} or larger`);
  }
  return subnet;
}

function bound(path: string, text: string | null | undefined, subnet: IpPrefix): IpAddress | undefined {
  if (text === undefined || text === null || text === '') return undefined;
  const address = parseIp(text);
  if (address === undefined || !contains(subnet, address)) {
    throw notAllowed(path, text, `an address in ${formatPrefix(subnet)}`);
  }
  if (sameIp(address, subnet.address))
    throw notAllowed(path, text, 'an address that is not the network address');
  if (address.family === 4 && sameIp(address, lastOf(subnet))) {
    throw notAllowed(path, text, 'an address that is not the broadcast address');
  }
  return address;
}
