import { formatPrefix, networkOf, parseIp, parsePrefix, sameIp } from '../ip/address.ts';
import type { RawDns, RawRoute } from './raw.ts';
import { notAllowed } from './validate.ts';

/** A route as configuration and results have it; the numbers are the kernel's (rtnetlink(7)). */
export interface Route {
  /** Destination network in CIDR notation. */
  readonly dst: string;
  readonly gw?: string;
  readonly mtu?: number;
  readonly advmss?: number;
  readonly priority?: number;
  readonly table?: number;
  readonly scope?: number;
}

/** Name resolution as configuration and results have it; never used here, only passed on. */
export interface Dns {
  readonly nameservers?: readonly string[];
  readonly domain?: string;
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

/**
 * A route with its addresses checked: dst in CIDR notation, gw of the same family. JSON's null and an empty gw
 * count as absent.
 *
 * @throws ConfigError with `path` extended by the key at fault
 */
export function readRoute(raw: RawRoute, path: string): Route {
  const dst = parsePrefix(raw.dst);
  if (dst === undefined)
    throw notAllowed(`${path}.dst`, raw.dst, 'a network in CIDR notation such as 192.0.2.0/24');
  const gw = raw.gw ?? '';
  if (gw !== '' && parseIp(gw)?.family !== dst.address.family) {
    throw notAllowed(
      `${path}.gw`,
      gw,
      `an IPv${dst.address.family} address, as ${path}.dst is IPv${dst.address.family}`,
    );
  }
  const { mtu, advmss, priority, table, scope } = raw;
  return {
    dst: raw.dst,
    ...(gw === '' ? {} : { gw }),
    ...(typeof mtu === 'number' ? { mtu } : {}),
    ...(typeof advmss === 'number' ? { advmss } : {}),
    ...(typeof priority === 'number' ? { priority } : {}),
    ...(typeof table === 'number' ? { table } : {}),
    ...(typeof scope === 'number' ? { scope } : {}),
  };
}

/**
 * {@link readRoute} for a route that is to be installed: dst must have no host bits either, which the kernel
 * refuses (IPv4) or clears without a word (IPv6).
 *
 * @throws ConfigError with `path` extended by the key at fault
 */
export function readNewRoute(raw: RawRoute, path: string): Route {
  const route = readRoute(raw, path);
  const dst = parsePrefix(route.dst);
  if (dst !== undefined && !sameIp(networkOf(dst), dst.address)) {
    const hint = formatPrefix({ address: networkOf(dst), prefixLength: dst.prefixLength });
    throw notAllowed(`${path}.dst`, route.dst, `a network without host bits, here ${hint}`);
  }
  return route;
}

/** The dns object without what is null, and without lists and a domain that are empty. */
export function tidyDns(raw: RawDns | null | undefined): Dns {
  const { nameservers, domain, search, options } = raw ?? {};
  return {
    ...(nameservers?.length ? { nameservers } : {}),
    ...(domain ? { domain } : {}),
    ...(search?.length ? { search } : {}),
    ...(options?.length ? { options } : {}),
  };
}
