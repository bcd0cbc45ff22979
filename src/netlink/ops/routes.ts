import { isErrno, NotFoundError } from '../../errors.ts';
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../abi/netlink.ts';
import * as abi from '../abi/rtnetlink.ts';
import { AF_INET, AF_INET6 } from '../abi/socket.ts';
import type { Connection, Request } from '../conn.ts';
import { decodeRoute, type Route, routeMessage } from '../message/route.ts';
import { addressFamily } from './addresses.ts';

/** A route to add, replace or delete. */
export interface RouteSpec {
  /** Destination network; host bits must be 0. */
  readonly dst: string;
  readonly prefixLength: number;
  readonly ifindex?: number;
  readonly gateway?: string;
  /** The gateway is on the link although no address says so (RTNH_F_ONLINK). */
  readonly onlink?: boolean;
  readonly prefsrc?: string;
  /** Routing table; main (254) when it is left out. */
  readonly table?: number;
  /** RT_SCOPE_*; universe with a gateway, link without, unless told. IPv6 has no scopes. */
  readonly scope?: number;
  readonly priority?: number;
  /** Path MTU in bytes. */
  readonly mtu?: number;
  /** TCP maximum segment size to advertise, in bytes. */
  readonly advmss?: number;
}

function payload(spec: RouteSpec, deleting: boolean): Uint8Array {
  const { table = abi.RT_TABLE_MAIN, mtu, advmss } = spec;
  const scope = spec.scope ?? (spec.gateway === undefined ? abi.RT_SCOPE_LINK : abi.RT_SCOPE_UNIVERSE);
  return routeMessage.encode(
    {
      family: addressFamily(spec.dst),
      dstLength: spec.prefixLength,
      table: table > 255 ? abi.RT_TABLE_COMPAT : table,
      protocol: deleting ? abi.RTPROT_UNSPEC : abi.RTPROT_BOOT,
      scope: deleting && spec.scope === undefined ? abi.RT_SCOPE_NOWHERE : scope,
      type: deleting ? abi.RTN_UNSPEC : abi.RTN_UNICAST,
      flags: spec.onlink === true ? abi.RTNH_F_ONLINK : 0,
    },
    {
      dst: spec.prefixLength === 0 ? undefined : spec.dst,
      oif: spec.ifindex,
      gateway: spec.gateway,
      priority: spec.priority,
      prefsrc: spec.prefsrc,
      metrics: mtu === undefined && advmss === undefined ? undefined : { mtu, advmss },
      table: table > 255 ? table : undefined,
    },
  );
}

function words(spec: RouteSpec, dev: string | undefined): string {
  const via = spec.gateway === undefined ? '' : ` via ${spec.gateway}`;
  const on = dev ?? spec.ifindex;
  const table = spec.table === undefined ? '' : ` table ${spec.table}`;
  return `route ${spec.dst}/${spec.prefixLength}${via}${on === undefined ? '' : ` dev ${on}`}${table}`;
}

/** `add` fails on EEXIST, `replace` takes the place of the old one, `append` stands behind others to the same network. */
export type RouteMode = 'add' | 'replace' | 'append';

const MODE_FLAGS: Readonly<Record<RouteMode, number>> = {
  add: NLM_F_EXCL,
  replace: NLM_F_REPLACE,
  append: NLM_F_APPEND,
};

/** The request of {@link addRoute} (or, told so, of {@link replaceRoute}), for a batch. */
export function routeRequest(spec: RouteSpec, dev?: string, mode: RouteMode = 'add'): Request {
  return {
    type: abi.RTM_NEWROUTE,
    name: 'RTM_NEWROUTE',
    flags: NLM_F_CREATE | MODE_FLAGS[mode],
    payload: payload(spec, false),
    what: `${mode} ${words(spec, dev)}`,
  };
}

/** Adds a route. Throws {@link NetlinkError}: EEXIST, ENETUNREACH (gateway not reachable), ENODEV. */
export function addRoute(conn: Connection, spec: RouteSpec): void {
  conn.request(routeRequest(spec));
}

/** Adds a route or replaces the one to the same destination (in that table, with that priority). */
export function replaceRoute(conn: Connection, spec: RouteSpec): void {
  conn.request(routeRequest(spec, undefined, 'replace'));
}

/** Deletes a route; absence is success. */
export function deleteRoute(conn: Connection, spec: RouteSpec): void {
  try {
    conn.request({
      type: abi.RTM_DELROUTE,
      name: 'RTM_DELROUTE',
      payload: payload(spec, true),
      what: `delete ${words(spec, undefined)}`,
    });
  } catch (error) {
    if (!isErrno(error, 'ESRCH', 'ENODEV')) throw error;
  }
}

/** What {@link listRoutes} is narrowed to. */
export interface RouteFilter {
  readonly table?: number;
  readonly ifindex?: number;
  readonly family?: 4 | 6;
}

/**
 * The IPv4 and IPv6 routes of the namespace in all tables, or those that fit the filter; cached clones are left out.
 * Throws {@link NetlinkError}.
 */
export function listRoutes(conn: Connection, filter: RouteFilter = {}): Route[] {
  // Each family by itself: asked for all, the kernel tells of MPLS and of multicast too.
  const families = filter.family === undefined ? ([4, 6] as const) : [filter.family];
  return families.flatMap((family) =>
    dumpRoutes(conn, family, filter.ifindex)
      .map(decodeRoute)
      .filter(
        (route) =>
          route.family === family &&
          (filter.table === undefined || route.table === filter.table) &&
          (filter.ifindex === undefined || route.ifindex === filter.ifindex),
      ),
  );
}

// The kernel narrows a dump to a link since 4.20, which spares a router that holds the internet's routes seconds; older
// ones answer with everything. A table is not asked for, since one that is not there would be an error.
function dumpRoutes(conn: Connection, family: 4 | 6, ifindex: number | undefined): Uint8Array[] {
  try {
    return conn.dump({
      type: abi.RTM_GETROUTE,
      name: 'RTM_GETROUTE',
      payload: routeMessage.encode({ family: family === 6 ? AF_INET6 : AF_INET }, { oif: ifindex }),
      what: 'list routes',
    });
  } catch (error) {
    if (ifindex !== undefined && isErrno(error, 'ENODEV')) return [];
    throw error;
  }
}

/**
 * The entry of the routing tables that a packet to `address` from this host is routed by (RTM_F_FIB_MATCH), whatever its
 * type; undefined when it is not routed at all, be it that there is no entry or one that says so (blackhole).
 */
export function findRouteTo(conn: Connection, address: string): Route | undefined {
  const isV6 = address.includes(':');
  // Unless asked for it, IPv4 says main whatever the table is; IPv6 refuses to be asked, and tells.
  const flags = abi.RTM_F_FIB_MATCH | (isV6 ? 0 : abi.RTM_F_LOOKUP_TABLE);
  try {
    const [payload] = conn.request({
      type: abi.RTM_GETROUTE,
      name: 'RTM_GETROUTE',
      payload: routeMessage.encode(
        { family: addressFamily(address), dstLength: isV6 ? 128 : 32, flags },
        { dst: address },
      ),
      what: `find route to ${address}`,
    });
    return payload === undefined ? undefined : decodeRoute(payload);
  } catch (error) {
    if (isErrno(error, 'ENETUNREACH', 'EHOSTUNREACH', 'EINVAL', 'EACCES', 'EAGAIN')) return undefined;
    throw error;
  }
}

/** A packet that {@link resolveRoute} asks about. */
export interface RouteQuery {
  readonly to: string;
  /** Its source; left to the kernel if it is left out. */
  readonly from?: string;
  /** The link that it comes in by; it is this host's own if that is left out. */
  readonly iif?: number;
}

/**
 * How the kernel routes a packet: the one route that it takes at this moment, with gateway, link, preferred source and type
 * (RTN_LOCAL: to this host itself). With `iif` it is routed as one that comes in by that link, IPv4 with all checks of its
 * source.
 *
 * Throws {@link NetlinkError} for what is not routed: ENETUNREACH, EHOSTUNREACH (also: IPv4 is not forwarded), EACCES
 * (prohibited), EINVAL (blackhole, or an impossible source), EXDEV (refused by rp_filter).
 */
export function resolveRoute(conn: Connection, { to, from, iif }: RouteQuery): Route {
  const length = to.includes(':') ? 128 : 32;
  const [payload] = conn.request({
    type: abi.RTM_GETROUTE,
    name: 'RTM_GETROUTE',
    payload: routeMessage.encode(
      { family: addressFamily(to), dstLength: length, srcLength: from === undefined ? 0 : length },
      { dst: to, src: from, iif },
    ),
    what: `route a packet to ${to}`,
  });
  if (payload === undefined) throw new NotFoundError(`route a packet to ${to}`, 'route', 'ENETUNREACH');
  return decodeRoute(payload);
}
