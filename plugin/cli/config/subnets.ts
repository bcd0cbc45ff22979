import { isObject, type JsonObject } from '../../../src/cni/document.ts';
import { contains, formatPrefix, type IpPrefix, networkOf, parsePrefix } from '../../../src/ip/address.ts';
import { type Path, showPath } from './path.ts';

/** A subnet that stands in a configuration. */
export interface PlacedSubnet {
  readonly path: Path;
  readonly subnet: IpPrefix;
}

/** The subnets in the `ipam` of a plugin's entry, whatever plugin it is of, that stands at `path`; wrong ones are passed over. */
export function subnetsOf(entry: JsonObject, path: Path): PlacedSubnet[] {
  const { ipam } = entry;
  if (!isObject(ipam)) return [];
  const at = [...path, 'ipam'];
  const found: PlacedSubnet[] = [];
  const take = (text: unknown, where: Path): void => {
    const prefix = typeof text === 'string' ? parsePrefix(text) : undefined;
    if (prefix === undefined) return;
    found.push({ path: where, subnet: { ...prefix, address: networkOf(prefix) } });
  };
  take(ipam['subnet'], [...at, 'subnet']);
  for (const [i, set] of listOf(ipam['ranges']).entries()) {
    for (const [j, range] of listOf(set).entries())
      if (isObject(range)) take(range['subnet'], [...at, 'ranges', i, j, 'subnet']);
  }
  for (const [i, item] of listOf(ipam['addresses']).entries())
    if (isObject(item)) take(item['address'], [...at, 'addresses', i, 'address']);
  return found;
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Whether two networks have addresses in common. */
export function overlap(a: IpPrefix, b: IpPrefix): boolean {
  return contains(a, b.address) || contains(b, a.address);
}

/** A network that somebody else has: a route of the host, or another configuration. */
export interface Neighbour {
  readonly subnet: IpPrefix;
  /** In words, such as `the host's route 10.88.0.0/16 dev cni0`. */
  readonly what: string;
  readonly remedy: string;
}

const MOST_NAMED = 3;

/** What to say about each subnet that overlaps those of others. */
export function describeOverlaps(
  subnets: readonly PlacedSubnet[],
  others: readonly Neighbour[],
): { readonly path: Path; readonly message: string }[] {
  return subnets.flatMap(({ path, subnet }) => {
    const found = others.filter((other) => overlap(other.subnet, subnet));
    const [first] = found;
    if (first === undefined) return [];
    const named = found.slice(0, MOST_NAMED).map(({ what }) => what);
    const more = found.length > MOST_NAMED ? ` and ${found.length - MOST_NAMED} more` : '';
    return [
      { path, message: `${formatPrefix(subnet)} overlaps ${named.join(', ')}${more}: ${first.remedy}` },
    ];
  });
}

/** The subnets of another configuration, as neighbours. */
export function neighboursIn(file: string, name: string, subnets: readonly PlacedSubnet[]): Neighbour[] {
  return subnets.map(({ subnet, path }) => ({
    subnet,
    what: `${formatPrefix(subnet)} of network ${name} (${file}, ${showPath(path)})`,
    remedy: 'containers of both could get the same address; give each network subnets of its own',
  }));
}
