import { addressBits, formatIp, type IpPrefix } from '../src/ip/address.ts';
import { RT_TABLE_MAIN } from '../src/netlink/abi/rtnetlink.ts';
import type { Route } from '../src/netlink/message/route.ts';
import type { RouteSpec } from '../src/netlink/ops/routes.ts';

/** Whether a route is the one that was asked for; where no priority was, any is right. */
export function isSameRoute(route: Route, wanted: RouteSpec): boolean {
  return (
    route.dst === wanted.dst &&
    route.prefixLength === wanted.prefixLength &&
    route.gateway === wanted.gateway &&
    route.table === (wanted.table ?? RT_TABLE_MAIN) &&
    (wanted.priority === undefined || wanted.priority === 0 || route.priority === wanted.priority) &&
    route.mtu === wanted.mtu &&
    route.advmss === wanted.advmss
  );
}

/** Whether a route is the host's own to a container's address. */
export function isHostRouteTo(route: Route, address: IpPrefix): boolean {
  return (
    route.dst === formatIp(address.address) &&
    route.prefixLength === addressBits(address.address.family) &&
    route.table === RT_TABLE_MAIN
  );
}
