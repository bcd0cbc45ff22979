import type { Route } from '../src/cni/config.ts';
import { ConfigError } from '../src/errors.ts';
import {
  addressBits,
  contains,
  formatIp,
  type IpAddress,
  type IpPrefix,
  networkOf,
  parseIp,
  parsePrefix,
  sameIp,
} from '../src/ip/address.ts';
import { RT_SCOPE_LINK } from '../src/netlink/abi/rtnetlink.ts';
import type { RouteSpec } from '../src/netlink/ops/routes.ts';

/** MTU of both ends unless the configuration says otherwise, in bytes. */
export const DEFAULT_MTU = 1500;

/** One address of the container, with the gateway that its host end answers for. */
export interface PodAddress {
  readonly address: IpPrefix;
  readonly gateway: IpAddress | undefined;
}

/** The gateways of a container's addresses, each once. */
export function gatewaysOf(pods: readonly PodAddress[]): IpAddress[] {
  return distinct(
    pods.map(({ gateway }) => gateway).filter((ip) => ip !== undefined),
    formatIp,
  );
}

/**
 * Routes inside the container that make its gateways reachable and lead its own subnets through them. A subnet without
 * a gateway is on the link, as far as it goes.
 */
export function gatewayRoutes(pods: readonly PodAddress[]): RouteSpec[] {
  // Several addresses may be of one subnet, for which there is one route: the first address's.
  return distinct(pods.flatMap(routesOfAddress), ({ dst, prefixLength }) => `${dst}/${prefixLength}`);
}

function routesOfAddress({ address, gateway }: PodAddress): RouteSpec[] {
  const bits = addressBits(address.address.family);
  const prefsrc = formatIp(address.address);
  const subnet = { dst: formatIp(networkOf(address)), prefixLength: address.prefixLength, prefsrc };
  const isSingle = address.prefixLength === bits;
  if (gateway === undefined) return isSingle ? [] : [{ ...subnet, scope: RT_SCOPE_LINK }];
  const via = formatIp(gateway);
  const toGateway = { dst: via, prefixLength: bits, scope: RT_SCOPE_LINK, prefsrc };
  return isSingle ? [toGateway] : [toGateway, { ...subnet, gateway: via }];
}

function distinct<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  return [...new Map(items.toReversed().map((item) => [keyOf(item), item])).values()].toReversed();
}

/** A configured route as the kernel gets it: via its own gateway, else the family's, else straight to the link. */
export function configuredRoute(route: Route, pods: readonly PodAddress[]): RouteSpec {
  const dst = parsePrefix(route.dst);
  if (dst === undefined) throw new ConfigError('ipam.routes', `${route.dst} is not a network`);
  const family = dst.address.family;
  const own = pods.find((pod) => pod.address.address.family === family && pod.gateway !== undefined)?.gateway;
  const onLink = route.scope !== undefined && route.scope >= RT_SCOPE_LINK;
  const gateway = route.gw === undefined ? (onLink ? undefined : own) : parseIp(route.gw);
  const { mtu, advmss, priority, table, scope } = route;
  return {
    dst: formatIp(networkOf(dst)),
    prefixLength: dst.prefixLength,
    ...(gateway === undefined ? {} : { gateway: formatIp(gateway) }),
    ...(needsOnlink(gateway, own, pods) ? { onlink: true } : {}),
    ...(mtu === undefined || mtu === 0 ? {} : { mtu }),
    ...(advmss === undefined || advmss === 0 ? {} : { advmss }),
    ...(priority === undefined ? {} : { priority }),
    ...(table === undefined || table === 0 ? {} : { table }),
    ...(scope === undefined ? {} : { scope }),
  };
}

// The own subnet is reached through the gateway here, so that to the kernel no other address in it is a neighbour.
function needsOnlink(
  gateway: IpAddress | undefined,
  own: IpAddress | undefined,
  pods: readonly PodAddress[],
): boolean {
  if (gateway === undefined || (own !== undefined && sameIp(gateway, own))) return false;
  return pods.some(({ address }) => contains(address, gateway));
}

/** The IPv6 link-local address of a MAC: fe80::/64 and its modified EUI-64 (RFC 4291, appendix A). */
export function linkLocalAddress(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(':').map((part) => Number.parseInt(part, 16));
  const groups = [((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f];
  return `fe80::${groups.map((group) => group.toString(16)).join(':')}`;
}
