import { isErrno } from '../../errors.ts';
import { formatIp, parseIp } from '../../ip/address.ts';
import { IPPROTO_UDP } from '../abi/nfnetlink_conntrack.ts';
import type { Connection } from '../conn.ts';
import {
  type ConntrackEntry,
  type ConntrackFilter,
  type ConntrackKey,
  decodeEntry,
  deleteEntry,
  deleteMatching,
  listEntries,
} from '../message/conntrack.ts';

/**
 * The connections of one family that the kernel tracks in the connection's namespace, or those that a filter means.
 * `conn` is a connection of `NETLINK_NETFILTER`, here and below. Throws {@link NetlinkError}.
 */
export function listConntrack(conn: Connection, family: 4 | 6): ConntrackEntry[];
export function listConntrack(conn: Connection, filter: ConntrackFilter): ConntrackEntry[];
export function listConntrack(conn: Connection, by: 4 | 6 | ConntrackFilter): ConntrackEntry[] {
  if (by === 4 || by === 6) return conn.dump(listEntries(by)).map(decodeEntry);
  // Kernels before 5.8 ignore the filter, so that it is applied to whatever comes.
  return conn
    .dump(listEntries(by.family, by))
    .map(decodeEntry)
    .filter((entry) => matches(entry, by));
}

function matches({ family, protocol, original }: ConntrackEntry, by: ConntrackFilter): boolean {
  return (
    family === by.family &&
    protocol === by.protocol &&
    (by.sourcePort === undefined || by.sourcePort === original.sourcePort) &&
    (by.destinationPort === undefined || by.destinationPort === original.destinationPort) &&
    sameAddress(by.source, original.source) &&
    sameAddress(by.destination, original.destination)
  );
}

function sameAddress(wanted: string | undefined, found: string): boolean {
  if (wanted === undefined) return true;
  const address = parseIp(wanted);
  return address !== undefined && formatIp(address) === found;
}

/** Deletes one connection; one that is gone already is success. Throws {@link NetlinkError}. */
export function deleteConntrack(conn: Connection, key: ConntrackKey): void {
  try {
    conn.request(deleteEntry(key));
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/**
 * Deletes all connections that a filter means, none of them being success. One request on kernels that filter
 * deletions; on others they are listed and deleted one by one. The kernel walks its whole table for it.
 * Throws {@link NetlinkError}, {@link WireError} for a filter that means everything.
 */
export function deleteMatchingConntrack(conn: Connection, filter: ConntrackFilter): void {
  try {
    conn.request(deleteMatching(filter));
  } catch (error) {
    // The kernel missed the rest of the tuple.
    if (!isErrno(error, 'EINVAL')) throw error;
    for (const entry of listConntrack(conn, filter)) deleteConntrack(conn, entry);
  }
}

/**
 * Forgets the UDP connections to a port of this host, so that their next packet meets the address translation that is
 * in force now: what has an entry goes where it went before, and UDP has no end that would remove it. Entries of
 * other ports, protocols and of the other family stay. Throws {@link NetlinkError}.
 */
export function flushUdpPort(conn: Connection, family: 4 | 6, port: number): void {
  deleteMatchingConntrack(conn, { family, protocol: IPPROTO_UDP, destinationPort: port });
}
