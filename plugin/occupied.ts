import { addressBits, formatIp, type IpAddress } from '../src/ip/address.ts';
import { RTN_LOCAL } from '../src/netlink/abi/rtnetlink.ts';
import type { Connection } from '../src/netlink/conn.ts';
import { findLink } from '../src/netlink/ops/links.ts';
import { findRouteTo } from '../src/netlink/ops/routes.ts';

/**
 * Whether an address is in use, leased or not: the host itself has it, or routes it to one end of a pair whose
 * other end is in another namespace, as it does for containers. A route of its own to anything else is one that somebody
 * forgot to remove. Throws {@link NetlinkError}.
 */
export function isOccupied(host: Connection, address: IpAddress): boolean {
  const route = findRouteTo(host, formatIp(address));
  if (route === undefined || route.prefixLength !== addressBits(address.family)) return false;
  if (route.type === RTN_LOCAL) return true;
  return route.ifindex !== undefined && findLink(host, route.ifindex)?.linkNetnsid !== undefined;
}
