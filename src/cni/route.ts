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
 * A route with its addresses checked: dst a network (no host bits: the kernel would refuse or change it), gw
 * of the same family. JSON's null and an empty gw count as absent.
 *
 * @throws ConfigError with `path` extended by the key at fault
 */
export function checkedRoute(raw: RawRoute, path: string): Route {
  const dst = parsePrefix(raw.dst);
  if (dst === undefined) throw notAllowed(`${path}.dst`, raw.dst, 'a network in CIDR notation such as 192.0.2.0/24');
  const network = networkOf(dst);
  if (!sameIp(network, dst.address)) {
    const hint = formatPrefix({ address: network, prefixLength: dst.prefixLength });
    throw notAllowed(`${path}.dst`, raw.dst, `a network without host bits, here ${hint}`);
  }
  const gw = raw.gw ?? '';
  if (gw !== '' && parseIp(gw)?.family !== dst.address.family) {
    throw notAllowed(`${path}.gw`, gw, `an IPv${dst.address.family} address, as ${path}.dst is IPv${dst.address.family}`);
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
