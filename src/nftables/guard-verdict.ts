import { type IpAddress, ipToBytes } from '../ip/address.ts';
import type { Connection } from '../netlink/conn.ts';
import { concat } from '../netlink/wire/buffer.ts';
import { mac as macCodec } from '../netlink/wire/value.ts';
import { NETS, TABLE } from './guard.ts';
import { findElement } from './look-up.ts';
import { interfaceName } from './names.ts';
import { hasPair } from './subnet-pairs.ts';
import { inquire } from './transaction.ts';

// What the rules of guard.ts do to one packet, by the sets that they look into.

/** Whether a packet that comes in by a host end is dropped since its sender may not send as what it does. Throws {@link NetlinkError}. */
export function isSpoofed(hostName: string, mac: string, source: IpAddress): boolean {
  const name = interfaceName(hostName);
  return inquire(false, (conn) => {
    if (!has(conn, 'guarded', name)) return false;
    const knownMac = has(conn, 'mac', concat([name, macCodec.encode(mac), new Uint8Array(2)]));
    return !knownMac || !has(conn, `ip${source.family}`, concat([name, ipToBytes(source)]));
  });
}

/** Whether a packet from one host end to another is dropped since their containers are kept apart. Throws {@link NetlinkError}. */
export function isKeptApart(from: string, to: string, source: IpAddress, destination: IpAddress): boolean {
  return inquire(false, (conn) => {
    if (![from, to].every((end) => has(conn, 'apart', interfaceName(end)))) return false;
    if (has(conn, 'isolated', interfaceName(to))) return true;
    return !hasPair(conn, TABLE, NETS, source, destination);
  });
}

function has(conn: Connection, set: string, key: Uint8Array): boolean {
  return findElement(conn, TABLE, set, key) !== undefined;
}
