import type { Connection } from '../netlink/conn.ts';
import type { NftChainInfo, NftChainRef } from '../netlink/message/nft.ts';
import { findNftTable, listNftChains, listNftRules } from '../netlink/ops/nftables.ts';
import { inquire } from './transaction.ts';

// What other programs may do to packets that are forwarded. Nothing is changed.

/** A base chain that drops what is forwarded, unless one of its rules accepts it. */
export interface DroppingChain extends NftChainInfo {
  /** Nothing in it can accept: it drops for certain. */
  readonly certain: boolean;
}

/** What nf_tables has of other programs that has a say in what is forwarded. */
export interface ForeignFirewalls {
  /** Base chains of nf_tables, those of iptables-nft among them, whose policy is to drop. */
  readonly dropping: readonly DroppingChain[];
  /** firewalld has its table; what its zones let through cannot be known. */
  readonly firewalld: boolean;
}

/** A chain in the words of nft: `ip filter FORWARD`. */
export function describeChain({ family, table, name }: NftChainRef): string {
  return `${family} ${table} ${name}`;
}

/** Looks at every table there is, in the calling thread's network namespace. Throws {@link NetlinkError}. */
export function foreignFirewalls(): ForeignFirewalls {
  return inquire<ForeignFirewalls>({ dropping: [], firewalld: false }, (conn) => {
    const chains = listNftChains(conn);
    return {
      dropping: chains
        .filter((chain) => dropsForwarded(chain) && !isDormant(conn, chain))
        .map((chain) => ({ ...chain, certain: !mayAccept(conn, chain) })),
      firewalld: chains.some(({ family, table }) => family === 'inet' && table === 'firewalld'),
    };
  });
}

function dropsForwarded({ family, base }: NftChainInfo): boolean {
  const isIp = family === 'inet' || family === 'ip' || family === 'ip6';
  return isIp && base?.hook === 'forward' && base.policy === 'drop';
}

function isDormant(conn: Connection, { family, table }: NftChainRef): boolean {
  return findNftTable(conn, { family, name: table })?.flags?.includes('dormant') === true;
}

// Whatever is not known here might accept, or lead to where it is accepted.
const CANNOT_ACCEPT = ['meta', 'cmp', 'payload', 'bitwise', 'ct', 'counter', 'log', 'limit', 'reject'];

function mayAccept(conn: Connection, { family, table, name, use }: NftChainInfo): boolean {
  if (use === 0) return false;
  return listNftRules(conn, { family, table, chain: name }).some(({ expressions }) =>
    expressions.some((one) => !CANNOT_ACCEPT.includes(one.name === 'unknown' ? one.kernelName : one.name)),
  );
}
