import { ConfigError } from '../errors.ts';
import {
  addressBits,
  contains,
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

/** A range as it is configured. */
export interface RangeSpec {
  readonly subnet: string;
  readonly rangeStart?: string | undefined;
  readonly rangeEnd?: string | undefined;
  readonly gateway?: string | undefined;
}

/** A range of addresses of one subnet, both bounds included. */
export interface IpamRange {
  readonly subnet: IpPrefix;
  readonly rangeStart: IpAddress;
  readonly rangeEnd: IpAddress;
  readonly gateway: IpAddress;
}

/** Ranges of one family, of which a container gets one address. */
export type RangeSet = readonly IpamRange[];

/**
 * Checks and completes configured ranges with host-local's defaults: the gateway is the first address behind the
 * network's, and all from there to the last (IPv6) or the last but one (IPv4, whose last is the broadcast address) may
 * be given out; the gateway itself is left out when addresses are given. Stricter than host-local: a bound or a
 * gateway on the network or broadcast address, and a gateway outside the subnet, are refused.
 *
 * @param path where the sets stand in the configuration, for messages
 * @throws ConfigError with the path of the value at fault
 */
export function resolveRangeSets(input: readonly (readonly RangeSpec[])[], path: string): RangeSet[] {
  if (input.length === 0) throw new ConfigError(path, 'is empty; at least one range is needed');
  const sets = input.map((set, i) => {
    if (set.length === 0) throw new ConfigError(`${path}[${i}]`, 'is empty; at least one range is needed');
    const ranges = set.map((range, j) => resolveRange(range, `${path}[${i}][${j}]`));
    const family = ranges[0]?.subnet.address.family;
    if (ranges.some((range) => range.subnet.address.family !== family)) {
      throw new ConfigError(`${path}[${i}]`, 'mixes IPv4 and IPv6; each family needs a set of its own');
    }
    return ranges;
  });
  const all = sets.flatMap((set, i) => set.map((range, j) => ({ range, at: `${path}[${i}][${j}]` })));
  for (const [i, a] of all.entries()) {
    for (const b of all.slice(i + 1)) {
      if (overlaps(a.range, b.range)) {
        throw new ConfigError(
          b.at,
          `${describeRange(b.range)} overlaps ${describeRange(a.range)} of ${a.at}`,
        );
      }
    }
  }
  return sets;
}

/** A range in words: `10.1.0.1-10.1.0.254`. */
export function describeRange(range: IpamRange): string {
  return `${formatIp(range.rangeStart)}-${formatIp(range.rangeEnd)}`;
}

function overlaps(a: IpamRange, b: IpamRange): boolean {
  return (
    a.subnet.address.family === b.subnet.address.family &&
    a.rangeStart.value <= b.rangeEnd.value &&
    b.rangeStart.value <= a.rangeEnd.value
  );
}

function resolveRange(spec: RangeSpec, path: string): IpamRange {
  const subnet = parsePrefix(spec.subnet);
  if (subnet === undefined) {
    throw new ConfigError(
      `${path}.subnet`,
      `${JSON.stringify(spec.subnet)} is not a network such as 10.1.0.0/24`,
    );
  }
  const { family } = subnet.address;
  const network = networkOf(subnet);
  if (!sameIp(network, subnet.address)) {
    const right = formatPrefix({ address: network, prefixLength: subnet.prefixLength });
    throw new ConfigError(`${path}.subnet`, `${spec.subnet} has host bits set; the network is ${right}`);
  }
  if (addressBits(family) - subnet.prefixLength < 2) {
    const longest = addressBits(family) - 2;
    throw new ConfigError(
      `${path}.subnet`,
      `${spec.subnet} is too small to give addresses from; /${longest} is the smallest`,
    );
  }
  const last = lastOf(subnet);
  const broadcast = family === 4 ? last : undefined;
  const first: IpAddress = { family, value: network.value + 1n };
  const highest: IpAddress = broadcast === undefined ? last : { family, value: last.value - 1n };
  const inside = (key: 'rangeStart' | 'rangeEnd' | 'gateway', text: string): IpAddress => {
    const address = parseIp(text);
    if (address === undefined) {
      throw new ConfigError(`${path}.${key}`, `${JSON.stringify(text)} is not an IP address`);
    }
    if (!contains(subnet, address)) {
      throw new ConfigError(`${path}.${key}`, `${text} is not in ${spec.subnet}`);
    }
    if (sameIp(address, network)) {
      throw new ConfigError(`${path}.${key}`, `${text} is the network address of ${spec.subnet}`);
    }
    if (broadcast !== undefined && sameIp(address, broadcast)) {
      throw new ConfigError(`${path}.${key}`, `${text} is the broadcast address of ${spec.subnet}`);
    }
    return address;
  };
  const rangeStart = spec.rangeStart === undefined ? first : inside('rangeStart', spec.rangeStart);
  const rangeEnd = spec.rangeEnd === undefined ? highest : inside('rangeEnd', spec.rangeEnd);
  if (rangeStart.value > rangeEnd.value) {
    throw new ConfigError(
      `${path}.rangeStart`,
      `${formatIp(rangeStart)} lies behind rangeEnd ${formatIp(rangeEnd)}`,
    );
  }
  const gateway = spec.gateway === undefined ? first : inside('gateway', spec.gateway);
  return { subnet, rangeStart, rangeEnd, gateway };
}
