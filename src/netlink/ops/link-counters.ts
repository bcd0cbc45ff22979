import { RTM_GETLINK } from '../abi/rtnetlink.ts';
import type { Connection } from '../conn.ts';
import { linkMessage } from '../message/link.ts';
import { decodeLinkCounters, type LinkCounters } from '../message/link-counters.ts';

/** The counters of every link of the namespace, by its index. Throws {@link NetlinkError}. */
export function listLinkCounters(conn: Connection): Map<number, LinkCounters> {
  const links = conn.dump({
    type: RTM_GETLINK,
    name: 'RTM_GETLINK',
    payload: linkMessage.encode({}, {}),
    what: 'list the counters of links',
  });
  return new Map(
    links.flatMap((payload) => {
      const found = decodeLinkCounters(payload);
      return found === undefined ? [] : [[found.index, found.counters] as const];
    }),
  );
}
