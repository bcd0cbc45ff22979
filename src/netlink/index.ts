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
export { Connection, type Request, type Transport } from './conn.ts';
export { DumpInterruptedError, type ExtendedAck, NetlinkError, WireError } from './errors.ts';
export * from './helpers.ts';
export type { InterfaceAddress } from './message/address.ts';
export type { ConntrackEntry, ConntrackFilter, ConntrackKey, ConntrackTuple } from './message/conntrack.ts';
export type { Link } from './message/link.ts';
export type { Neighbour } from './message/neighbour.ts';
export type { Route } from './message/route.ts';
export * from './ops/addresses.ts';
export * from './ops/conntrack.ts';
export * from './ops/links.ts';
export * from './ops/neighbours.ts';
export * from './ops/routes.ts';
export { connect } from './socket.ts';
