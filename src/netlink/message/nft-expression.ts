import type { NftVerdict } from './nft-data.ts';

// Expressions of nf_tables rules, as <linux/netfilter/nf_tables.h> has them; what each does is described in nft(8) and, by
// the same names, in libnftnl. A rule is a program: its expressions run one after the other until one of them does
// not match, or is a verdict.

/**
 * A register, by the kernel's number: 1 to 4 are NFT_REG_1 to NFT_REG_4, 16 bytes each; 8 to 23 are the same memory in
 * pieces of 4 bytes, NFT_REG32_00 to NFT_REG32_15. What is longer than a register goes on in the next. 0 is the verdict.
 */
export type NftRegister = number;

/** NFT_META_*, in small letters, or the number. */
export type NftMetaKey =
  | 'len'
  | 'protocol'
  | 'priority'
  | 'mark'
  | 'iif'
  | 'oif'
  | 'iifname'
  | 'oifname'
  | 'iiftype'
  | 'oiftype'
  | 'skuid'
  | 'skgid'
  | 'nftrace'
  | 'rtclassid'
  | 'secmark'
  | 'nfproto'
  | 'l4proto'
  | 'bri_iifname'
  | 'bri_oifname'
  | 'pkttype'
  | 'cpu'
  | 'iifgroup'
  | 'oifgroup'
  | 'cgroup'
  | 'prandom'
  | 'secpath'
  | 'iifkind'
  | 'oifkind'
  | 'bri_iifpvid'
  | 'bri_iifvproto'
  | 'time_ns'
  | 'time_day'
  | 'time_hour'
  | 'sdif'
  | 'sdifname'
  | number;

/** NFT_CT_*, in small letters, or the number. */
export type NftCtKey =
  | 'state'
  | 'direction'
  | 'status'
  | 'mark'
  | 'secmark'
  | 'expiration'
  | 'helper'
  | 'l3protocol'
  | 'src'
  | 'dst'
  | 'protocol'
  | 'proto_src'
  | 'proto_dst'
  | 'labels'
  | 'pkts'
  | 'bytes'
  | 'avgpkt'
  | 'zone'
  | 'eventmask'
  | 'src_ip'
  | 'dst_ip'
  | 'src_ip6'
  | 'dst_ip6'
  | 'id'
  | number;

/** NFT_CMP_*, in small letters, or the number. */
export type NftCmpOp = 'eq' | 'neq' | 'lt' | 'lte' | 'gt' | 'gte' | number;

/** NFT_PAYLOAD_*, in small letters, or the number. */
export type NftPayloadBase = 'll_header' | 'network_header' | 'transport_header' | 'inner_header' | number;

/** NF_NAT_RANGE_*, <linux/netfilter/nf_nat.h>, in small letters, and those without a name as one number. */
export type NftNatFlag =
  | 'map_ips'
  | 'proto_specified'
  | 'proto_random'
  | 'persistent'
  | 'proto_random_fully'
  | 'proto_offset'
  | 'netmap'
  | number;

/** Loads something about the packet that is not in it into a register, or sets it from one. */
export type NftMeta = { readonly name: 'meta'; readonly key: NftMetaKey } & (
  | { readonly dreg: NftRegister }
  | { readonly sreg: NftRegister }
);

/** Loads something about the packet's connection into a register, or sets it from one. */
export type NftCt = {
  readonly name: 'ct';
  readonly key: NftCtKey;
  /** IP_CT_DIR_*: 0 original, 1 reply; only some keys have one. */
  readonly direction?: number;
} & ({ readonly dreg: NftRegister } | { readonly sreg: NftRegister });

/** Goes on only if a register compares so with the bytes; numbers are compared as if in network order. */
export interface NftCmp {
  readonly name: 'cmp';
  readonly sreg: NftRegister;
  readonly op: NftCmpOp;
  readonly data: Uint8Array;
}

/** Goes on only if a register lies (`eq`), or does not lie (`neq`), between two values, both included. */
export interface NftRange {
  readonly name: 'range';
  readonly sreg: NftRegister;
  readonly op: 'eq' | 'neq' | number;
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

/** Loads bytes of the packet into a register, or writes them from one and makes the checksum right. */
export type NftPayload = {
  readonly name: 'payload';
  readonly base: NftPayloadBase;
  /** In bytes, from the beginning of that header. */
  readonly offset: number;
  /** In bytes. */
  readonly length: number;
} & (
  | { readonly dreg: NftRegister }
  | {
      readonly sreg: NftRegister;
      /** NFT_PAYLOAD_CSUM_*: 0 none, 1 of the internet, 2 of SCTP. */
      readonly csumType?: number;
      /** Where the checksum lies in the header. */
      readonly csumOffset?: number;
      /** NFT_PAYLOAD_L4CSUM_PSEUDOHDR: 1. */
      readonly csumFlags?: number;
    }
);

/** Keeps of a register the bits in `mask` and then turns over those in `xor`. */
export interface NftBitwise {
  readonly name: 'bitwise';
  readonly sreg: NftRegister;
  readonly dreg: NftRegister;
  /** In bytes, as mask and xor. */
  readonly length: number;
  readonly mask: Uint8Array;
  readonly xor: Uint8Array;
}

/** Goes on only if a register is in a set, or is a key of a map, and loads what that leads to. */
export interface NftLookup {
  readonly name: 'lookup';
  readonly set: string;
  readonly sreg: NftRegister;
  /** Maps only: where to load what the key leads to; 0 for a map of verdicts. */
  readonly dreg?: NftRegister;
  /** The set's `id` in the same transaction, for one that has no name yet. */
  readonly setId?: number;
  /** Sets only: goes on if it is not in there. */
  readonly inverted?: true;
}

/** Loads bytes into a register, or ends the rule with a verdict. */
export type NftImmediate =
  | { readonly name: 'immediate'; readonly dreg: NftRegister; readonly data: Uint8Array }
  | { readonly name: 'immediate'; readonly verdict: NftVerdict };

/** Translates source or destination by registers: addresses and ports from `Min` to `Max`, or `Min` alone. */
export interface NftNat {
  readonly name: 'nat';
  readonly type: 'snat' | 'dnat' | number;
  /** NFPROTO_*: 2 of IPv4, 10 of IPv6. */
  readonly family: number;
  readonly addrMin?: NftRegister;
  readonly addrMax?: NftRegister;
  readonly protoMin?: NftRegister;
  readonly protoMax?: NftRegister;
  readonly flags?: readonly NftNatFlag[];
}

/** `masq`: gives the source address of the outgoing interface. `redir`: gives the host itself as destination. */
export interface NftMasqOrRedir {
  readonly name: 'masq' | 'redir';
  readonly protoMin?: NftRegister;
  readonly protoMax?: NftRegister;
  readonly flags?: readonly NftNatFlag[];
}

/** Asks the routing tables and loads what they say into a register. */
export interface NftFib {
  readonly name: 'fib';
  readonly dreg: NftRegister;
  readonly result: 'unspec' | 'oif' | 'oifname' | 'addrtype' | number;
  /** NFTA_FIB_F_*, in small letters. */
  readonly flags: readonly ('saddr' | 'daddr' | 'mark' | 'iif' | 'oif' | 'present' | number)[];
}

/** Counts what comes by. */
export interface NftCounter {
  readonly name: 'counter';
  readonly packets?: bigint;
  readonly bytes?: bigint;
}

/** Drops the packet and tells its sender. */
export interface NftReject {
  readonly name: 'reject';
  readonly type: 'icmp_unreach' | 'tcp_rst' | 'icmpx_unreach' | number;
  /** ICMP code, or NFT_REJECT_ICMPX_*: 0 no route, 1 port, 2 host, 3 administratively prohibited. */
  readonly code?: number;
}

/** An expression that has no type here, or attributes that its type here does not have; it can be written as it was read. */
export interface NftUnknownExpression {
  readonly name: 'unknown';
  /** The kernel's name of it, such as `limit`, or `match` for one of iptables-nft. */
  readonly kernelName: string;
  /** Its attributes as they stand on the wire: NFTA_EXPR_DATA. */
  readonly data: Uint8Array;
}

/** One expression of a rule. */
export type NftExpression =
  | NftMeta
  | NftCt
  | NftCmp
  | NftRange
  | NftPayload
  | NftBitwise
  | NftLookup
  | NftImmediate
  | NftNat
  | NftMasqOrRedir
  | NftFib
  | NftCounter
  | NftReject
  | NftUnknownExpression;
