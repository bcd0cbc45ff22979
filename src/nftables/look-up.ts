import type { Connection } from '../netlink/conn.ts';
import type { NftElement } from '../netlink/message/nft-set.ts';
import { findNftElement, listNftElements } from '../netlink/ops/nftables.ts';
import { ourSet } from './requests.ts';

// Questions about our tables, to which "there is no such table, set or chain" is an answer and not an error.

/** The elements of a set or map; none where there is none. Throws {@link NetlinkError}. */
export function elementsOf(conn: Connection, table: string, set: string): NftElement[] {
  return listNftElements(conn, ourSet(table, set));
}

/** The element that a key belongs to; undefined where there is none. Throws {@link NetlinkError}. */
export function findElement(
  conn: Connection,
  table: string,
  set: string,
  key: Uint8Array,
): NftElement | undefined {
  return findNftElement(conn, ourSet(table, set), key);
}
