import { isErrno } from '../errors.ts';
import { ETH_P_ALL } from '../netlink/abi/pkt_cls.ts';
import type { Connection } from '../netlink/conn.ts';
import { CLSACT_INGRESS } from '../netlink/message/tc.ts';
import { filterRequest, listFilters, qdiscRequest } from '../netlink/ops/tc.ts';
import type { ShapedLink } from './shaper.ts';

// The last: filters of other programs, which may have to drop something, see the packets before they are gone.
const PRIORITY = 0xffff;

/**
 * Sends whatever comes in by a link out of another one, an ifb, which lets it go on where it came from. The filter
 * hangs in a clsact qdisc, rather than one of kind ingress, because that is what other programs want to find on a link; one
 * of either kind that is there already is used. Throws {@link NetlinkError}.
 */
export function redirectIncoming(conn: Connection, from: ShapedLink, to: number): void {
  const { ifindex, name } = from;
  const [hook, filter] = conn.batch([
    qdiscRequest({ ifindex }, { kind: 'clsact' }, 'add', name),
    filterRequest(
      { ifindex, parent: CLSACT_INGRESS, priority: PRIORITY, protocol: ETH_P_ALL, keys: [], redirectTo: to },
      name,
    ),
  ]);
  if (hook !== undefined && !isErrno(hook, 'EEXIST')) throw hook;
  if (filter !== undefined) throw filter;
}

/** Whether all that comes in by a link is sent out of another one. Throws {@link NetlinkError}. */
export function isRedirected(conn: Connection, from: number, to: number): boolean {
  return listFilters(conn, from, CLSACT_INGRESS).some(
    ({ priority, redirectTo, keys = [] }) =>
      priority === PRIORITY && redirectTo === to && keys.every(({ mask }) => mask === 0),
  );
}
