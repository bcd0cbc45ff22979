import { TC_H_ROOT } from '../netlink/abi/pkt_sched.ts';
import type { Connection } from '../netlink/conn.ts';
import { listClasses, listQdiscs } from '../netlink/ops/tc.ts';
import { SHAPED } from './shaper.ts';

/** What goes out of each link at most that is shaped, in bits per second, by the link's index. Throws {@link NetlinkError}. */
export function listRates(conn: Connection): Map<number, number> {
  const rates = new Map<number, number>();
  for (const { ifindex, parent, kind, rate } of listQdiscs(conn)) {
    if (parent !== TC_H_ROOT) continue;
    const bytes = kind === 'htb' ? rateOfClass(conn, ifindex) : kind === 'tbf' ? rate : undefined;
    if (bytes !== undefined) rates.set(ifindex, bytes * 8);
  }
  return rates;
}

function rateOfClass(conn: Connection, ifindex: number): number | undefined {
  return listClasses(conn, ifindex).find(({ classid }) => classid === SHAPED)?.rate;
}
