import { isErrno } from '../errors.ts';
import type { Connection, Request } from '../netlink/conn.ts';
import { decodeElements, listElements, type SetElement } from '../netlink/message/nft.ts';

// Questions about the ruleset, to which "there is no such table, set or chain" is an answer and not an error.

/** What `ask` finds; `nothing` if the kernel knows no such object. */
export function orIfAbsent<T>(nothing: T, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return nothing;
    throw error;
  }
}

/** The elements of a set or map; none where there is none. Throws {@link NetlinkError}. */
export function elementsOf(conn: Connection, table: string, set: string): SetElement[] {
  return orIfAbsent([], () => conn.dump(listElements(table, set)).flatMap(decodeElements));
}

/** The element that a request of {@link setElement} to GET asks for; undefined where there is none. Throws {@link NetlinkError}. */
export function findElement(conn: Connection, get: Request): SetElement | undefined {
  return orIfAbsent(undefined, () => conn.request(get).flatMap(decodeElements)[0]);
}
