import * as abi from '../abi/rtnetlink.ts';
import { AF_INET6 } from '../abi/socket.ts';
import { type AttributesOf, attr, attributes, nested } from '../wire/attributes.ts';
import { U8, U32 } from '../wire/field.ts';
import { struct } from '../wire/struct.ts';
import { ip, u32 } from '../wire/value.ts';
import { objectCodec } from './object.ts';

/** `struct rtmsg`, <linux/rtnetlink.h>. */
export const rtmsg = struct({
  family: U8,
  dstLength: U8,
  srcLength: U8,
  tos: U8,
  table: U8,
  protocol: U8,
  scope: U8,
  type: U8,
  flags: U32,
});

const metrics = attributes({ mtu: attr(abi.RTAX_MTU, u32), advmss: attr(abi.RTAX_ADVMSS, u32) });

/** Attributes of a route: RTA_*. */
export const routeAttributes = attributes({
  dst: attr(abi.RTA_DST, ip),
  src: attr(abi.RTA_SRC, ip),
  iif: attr(abi.RTA_IIF, u32),
  oif: attr(abi.RTA_OIF, u32),
  gateway: attr(abi.RTA_GATEWAY, ip),
  priority: attr(abi.RTA_PRIORITY, u32),
  prefsrc: attr(abi.RTA_PREFSRC, ip),
  metrics: nested(abi.RTA_METRICS, metrics),
  table: attr(abi.RTA_TABLE, u32),
});
/** The values of {@link routeAttributes}. */
export type RouteAttributes = AttributesOf<typeof routeAttributes>;

/** RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE. */
export const routeMessage = objectCodec(rtmsg, routeAttributes);

/** One route of a namespace. */
export interface Route {
  readonly family: 4 | 6;
  /** Destination network in canonical spelling; `0.0.0.0` or `::` with length 0 for a default route. */
  readonly dst: string;
  readonly prefixLength: number;
  readonly gateway: string | undefined;
  readonly ifindex: number | undefined;
  readonly table: number;
  /** RTPROT_*: who made it. */
  readonly protocol: number;
  /** RT_SCOPE_*. */
  readonly scope: number;
  /** RTN_*. */
  readonly type: number;
  readonly priority: number | undefined;
  readonly prefsrc: string | undefined;
  readonly mtu: number | undefined;
  readonly advmss: number | undefined;
}

/** Decodes the payload of RTM_NEWROUTE. Throws {@link WireError}. */
export function decodeRoute(payload: Uint8Array): Route {
  const { header, attributes: a } = routeMessage.decode(payload);
  const family = header.family === AF_INET6 ? 6 : 4;
  return {
    family,
    dst: a.dst ?? (family === 6 ? '::' : '0.0.0.0'),
    prefixLength: header.dstLength,
    gateway: a.gateway,
    ifindex: a.oif,
    table: a.table ?? header.table,
    protocol: header.protocol,
    scope: header.scope,
    type: header.type,
    priority: a.priority,
    prefsrc: a.prefsrc,
    mtu: a.metrics?.mtu,
    advmss: a.metrics?.advmss,
  };
}
