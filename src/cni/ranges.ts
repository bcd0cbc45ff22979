import { ConfigError } from '../errors.ts';
import {
  addressBits,
  contains,
  formatPrefix,
  type IpAddress,
  type IpPrefix,
  lastOf,
  networkOf,
  parseIp,
  parsePrefix,
  sameIp,
} from '../ip/address.ts';
import type { IpRange, RangeSet } from '../ip/range.ts';
import type { RawRange } from './raw.ts';
import { notAllowed } from './validate.ts';

/** A range as it stands in the document, and where. */
export interface PlacedRange {
  readonly path: string;
  readonly raw: RawRange;
}

/**
 * Checks range sets as host-local does, and what that lets through (a bound on the network or broadcast address, a
 * gateway outside the subnet), and completes them with its defaults: the gateway is the first address behind the
 * network's, and all from there to the last (IPv6) or the last but one (IPv4, whose last is the broadcast address) may
 * be given out; the gateway itself is left out when addresses are given.
 *
 * @throws ConfigError with the path of the value at fault
 */
export function checkedRangeSets(sets: readonly (readonly PlacedRange[])[]): RangeSet[] {
  const earlier: (PlacedRange & { readonly range: IpRange })[] = [];
  return sets.map((set) => {
    const placed = set.map((it) => ({ ...it, range: checkedRange(it) }));
    const [first] = placed;
    for (const it of placed) {
      const family = first?.range.subnet.address.family;
      if (it.range.subnet.address.family !== family) {
        const allowed = `IPv${family} only, as ${first?.path}: one range set is of one family`;
        throw notAllowed(`${it.path}.subnet`, it.raw.subnet, allowed);
      }
      const other = earlier.find(({ range }) => overlaps(range, it.range));
      if (other !== undefined) {
        throw new ConfigError(
          `${it.path}.subnet`,
          `${it.raw.subnet} overlaps ${other.path} (${other.raw.subnet})`,
        );
      }
      earlier.push(it);
    }
    return placed.map(({ range }) => range);
  });
}

function overlaps(a: IpRange, b: IpRange): boolean {
  return (
    a.subnet.address.family === b.subnet.address.family &&
    a.rangeStart.value <= b.rangeEnd.value &&
    b.rangeStart.value <= a.rangeEnd.value
  );
}

function checkedRange({ path, raw }: PlacedRange): IpRange {
  const subnet = checkedSubnet(`${path}.subnet`, raw.subnet);
  const { family } = subnet.address;
  const first = { family, value: subnet.address.value + 1n };
  const last = { family, value: lastOf(subnet).value - (family === 4 ? 1n : 0n) };
  const start = bound(`${path}.rangeStart`, raw.rangeStart, subnet);
  const end = bound(`${path}.rangeEnd`, raw.rangeEnd, subnet);
  const range: IpRange = {
    subnet,
    rangeStart: start ?? first,
    rangeEnd: end ?? last,
    gateway: bound(`${path}.gateway`, raw.gateway, subnet) ?? first,
  };
  if (range.rangeStart.value > range.rangeEnd.value) {
    const key = end === undefined ? 'rangeStart' : 'rangeEnd';
    throw notAllowed(`${path}.${key}`, raw[key], 'a rangeStart that is not above rangeEnd');
  }
  return range;
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
