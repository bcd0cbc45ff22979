import { type IpPrefix, parsePrefix } from '../ip/address.ts';
import type { RawBandwidth, RawConfig } from './raw.ts';
import { notAllowed } from './validate.ts';

/** A limit as the configuration has it: in bits, which the kernel does not count. */
export interface RateLimit {
  /** Bits per second, from 8. */
  readonly rate: number;
  /** Bits, from 1 to 34359738360. */
  readonly burst: number;
}

/** How the traffic of one attachment is limited. */
export interface Bandwidth {
  /** What the container receives. */
  readonly ingress?: RateLimit;
  /** What the container sends. */
  readonly egress?: RateLimit;
  /** Destinations that alone are limited, or that alone are not; without it all traffic is. */
  readonly subnets?: { readonly shaped: boolean; readonly prefixes: readonly IpPrefix[] };
}

/**
 * The limits of a configuration; undefined if there are none. The keys of the entry, which are the
 * administrator's, count before what the runtime gives, which may be a user's; each direction and the subnets for
 * themselves.
 *
 * @throws ConfigError that names the key
 */
export function interpretBandwidth(raw: RawConfig): Bandwidth | undefined {
  const own = read(raw, '');
  const given = raw.runtimeConfig?.bandwidth;
  const all = given ? { ...read(given, 'runtimeConfig.bandwidth.'), ...own } : own;
  return all.ingress === undefined && all.egress === undefined ? undefined : all;
}

function read(raw: RawBandwidth, prefix: string): Bandwidth {
  const ingress = limitOf(raw.ingressRate, raw.ingressBurst, `${prefix}ingress`);
  const egress = limitOf(raw.egressRate, raw.egressBurst, `${prefix}egress`);
  const subnets = subnetsOf(raw, prefix);
  return {
    ...(ingress === undefined ? {} : { ingress }),
    ...(egress === undefined ? {} : { egress }),
    ...(subnets === undefined ? {} : { subnets }),
  };
}

function limitOf(
  rate: number | null | undefined,
  burst: number | null | undefined,
  path: string,
): RateLimit | undefined {
  if (rate && burst) return { rate, burst };
  if (rate) throw notAllowed(`${path}Rate`, rate, `a rate with ${path}Burst, or 0 without`);
  if (burst) throw notAllowed(`${path}Burst`, burst, `a burst with ${path}Rate, or 0 without`);
  return undefined;
}

function subnetsOf({ shapedSubnets, unshapedSubnets }: RawBandwidth, prefix: string): Bandwidth['subnets'] {
  if (!shapedSubnets && !unshapedSubnets) return undefined;
  const shaped = prefixesOf(shapedSubnets, `${prefix}shapedSubnets`);
  const unshaped = prefixesOf(unshapedSubnets, `${prefix}unshapedSubnets`);
  if (shaped.length > 0 && unshaped.length > 0) {
    throw notAllowed(
      `${prefix}shapedSubnets`,
      shapedSubnets,
      `either this or ${prefix}unshapedSubnets, not both`,
    );
  }
  if (shaped.length > 0) return { shaped: true, prefixes: shaped };
  return unshaped.length > 0 ? { shaped: false, prefixes: unshaped } : undefined;
}

function prefixesOf(subnets: readonly string[] | null | undefined, path: string): readonly IpPrefix[] {
  return (subnets ?? []).map((subnet, i) => {
    const prefix = parsePrefix(subnet);
    if (prefix === undefined)
      throw notAllowed(`${path}[${i}]`, subnet, 'a network in CIDR notation such as 192.0.2.0/24');
    return prefix;
  });
}
