/** A synchronous rtnetlink library for Node: helpers first, then the verbs and the connection beneath them. */
export {
  ConfigError,
  type ErrorKind,
  isErrno,
  NotFoundError,
  PlumbError,
  SyscallError,
  UnsupportedError,
} from '../errors.ts';
export { withNetns, withNetnsFd } from '../sys/netns.ts';
export { getSysctl, setSysctl } from '../sys/sysctl.ts';
export { NETLINK_NETFILTER } from './abi/netlink.ts';
export { ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 } from './abi/pkt_cls.ts';
export { TC_H_INGRESS, TC_H_ROOT } from './abi/pkt_sched.ts';
export { Connection, type Request, type Transport } from './conn.ts';
export { DumpInterruptedError, type ExtendedAck, NetlinkError, WireError } from './errors.ts';
export * from './helpers.ts';
export type { InterfaceAddress } from './message/address.ts';
export type { ConntrackEntry, ConntrackFilter, ConntrackKey, ConntrackTuple } from './message/conntrack.ts';
export type { Link } from './message/link.ts';
export type { LinkCounters } from './message/link-counters.ts';
export type { Neighbour } from './message/neighbour.ts';
export type { Route } from './message/route.ts';
export {
  bucketTicks,
  CLSACT_EGRESS,
  CLSACT_INGRESS,
  type ClassSpec,
  type Filter,
  type FilterSpec,
  type HtbSpec,
  type Qdisc,
  type QdiscOptions,
  type QdiscPlace,
  type TbfSpec,
  type TokenBucket,
  type TrafficClass,
  type U32Key,
} from './message/tc.ts';
export * from './ops/addresses.ts';
export * from './ops/conntrack.ts';
export * from './ops/link-counters.ts';
export * from './ops/links.ts';
export * from './ops/neighbours.ts';
export * from './ops/routes.ts';
export * from './ops/tc.ts';
export { connect } from './socket.ts';
