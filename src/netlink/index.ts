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
export {
  type NftBase,
  type NftChain,
  type NftChainInfo,
  type NftChainRef,
  type NftRule,
  type NftRuleInfo,
  type NftRulesRef,
  type NftTable,
  type NftTableInfo,
  type NftTableRef,
  nftChainRequest,
  nftFlushChainRequest,
  nftRuleRequest,
  nftTableRequest,
} from './message/nft.ts';
export type { NftVerdict, NftVerdictCode } from './message/nft-data.ts';
export type * from './message/nft-expression.ts';
export type { NftFamily, NftHook } from './message/nft-names.ts';
export type { NftRuleVerb, NftVerb } from './message/nft-request.ts';
export {
  joinNftIntervals,
  type NftElement,
  type NftSet,
  type NftSetFlag,
  type NftSetInfo,
  type NftSetRef,
  nftElementRequest,
  nftElementRequests,
  nftFlushSetRequest,
  nftInterval,
  nftSetRequest,
} from './message/nft-set.ts';
export type { NftRawType, NftType, NftTypeName } from './message/nft-type.ts';
export type { NftNotes } from './message/nft-user-data.ts';
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
export * from './ops/nftables.ts';
export * from './ops/routes.ts';
export * from './ops/tc.ts';
export { connect } from './socket.ts';
export { type RawAttribute, splitAttributes } from './wire/attributes.ts';
