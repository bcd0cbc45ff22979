import * as abi from '../netlink/abi/nf_tables.ts';
import type { Connection } from '../netlink/conn.ts';
import {
  type Chain,
  decodeChain,
  decodeExpressions,
  decodeTableFlags,
  getTable,
  listChains,
  listRulesOf,
} from '../netlink/message/nft-foreign.ts';
import { orIfAbsent } from './look-up.ts';
import { inquire } from './transaction.ts';

export { describeChain } from '../netlink/message/nft-foreign.ts';

// What other programs may do to packets that are forwarded. Nothing is changed.

/** A base chain that drops what is forwarded, unless one of its rules accepts it. */
export interface DroppingChain extends Chain {
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

/** Looks at every table there is, in the calling thread's network namespace. Throws {@link NetlinkError}. */
export function foreignFirewalls(): ForeignFirewalls {
  return inquire<ForeignFirewalls>({ dropping: [], firewalld: false }, (conn) => {
    const chains = conn.dump(listChains()).map(decodeChain);
    return {
      dropping: chains.filter(dropsForwarded).flatMap((chain) => {
        const isDormant = (tableFlags(conn, chain) & abi.NFT_TABLE_F_DORMANT) !== 0;
        return isDormant ? [] : [{ ...chain, certain: !mayAccept(conn, chain) }];
      }),
      firewalld: chains.some(({ family, table }) => family === abi.NFPROTO_INET && table === 'firewalld'),
    };
  });
}

function dropsForwarded({ family, hook, policy }: Chain): boolean {
  const isIp = [abi.NFPROTO_INET, abi.NFPROTO_IPV4, abi.NFPROTO_IPV6].includes(family);
  return isIp && hook?.hooknum === abi.NF_INET_FORWARD && policy === abi.NF_DROP;
}

function tableFlags(conn: Connection, { family, table }: Chain): number {
  const [answer] = orIfAbsent([], () => conn.request(getTable(family, table)));
  return answer === undefined ? 0 : decodeTableFlags(answer);
}

// Whatever is not known here might accept, or lead to where it is accepted.
const CANNOT_ACCEPT = ['meta', 'cmp', 'payload', 'bitwise', 'ct', 'counter', 'log', 'limit', 'reject'];

function mayAccept(conn: Connection, chain: Chain): boolean {
  if (chain.use === 0) return false;
  const rules = conn.dump(listRulesOf(chain)).map(decodeExpressions);
  return rules.some((rule) => rule.some(({ name }) => !CANNOT_ACCEPT.includes(name)));
}
