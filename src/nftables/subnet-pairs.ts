import {
  contains,
  type IpAddress,
  type IpPrefix,
  ipFromBytes,
  ipToBytes,
  lastOf,
  networkOf,
} from '../ip/address.ts';
import type { Connection, Request } from '../netlink/conn.ts';
import { concat } from '../netlink/wire/buffer.ts';
import { elementsOf, findElement } from './look-up.ts';
import { newSet, setElement } from './requests.ts';
import type { SharedElement } from './transaction.ts';

// Sets that tell whether source and destination of a packet are in one subnet: each element is a subnet, twice, and
// there is one for each network and not for each container. They stay when the network goes.

/** The sets of pairs, one for each family, with the names `<prefix>4` and `<prefix>6`; `id` and the next are theirs. */
export function newPairSets(table: string, prefix: string, id: number): Request[] {
  return [
    newSet({
      table,
      name: `${prefix}4`,
      key: ['ipv4_addr', 'ipv4_addr'],
      flags: ['interval'],
      id,
    }),
    newSet({
      table,
      name: `${prefix}6`,
      key: ['ipv6_addr', 'ipv6_addr'],
      flags: ['interval'],
      id: id + 1,
    }),
  ];
}

/** Whether a pair covers an address, or two of one family; `prefix` as in {@link newPairSets}. Throws {@link NetlinkError}. */
export function hasPair(
  conn: Connection,
  table: string,
  prefix: string,
  from: IpAddress,
  to = from,
): boolean {
  const key = concat([ipToBytes(from), ipToBytes(to)]);
  return findElement(conn, table, `${prefix}${from.family}`, key) !== undefined;
}

/**
 * Adds the subnet of an address to the set of its family. EEXIST if it lies within one that is there, or if others that
 * are there lie within it, which it then takes the place of.
 */
export function addPair(table: string, prefix: string, subnet: IpPrefix): SharedElement {
  const first = ipToBytes(networkOf(subnet));
  const last = ipToBytes(lastOf(subnet));
  const set = `${prefix}${subnet.address.family}`;
  const what = `subnet of a network (table inet ${table}, set ${set})`;
  return {
    request: setElement(
      'add',
      table,
      set,
      { key: concat([first, first]), keyEnd: concat([last, last]) },
      what,
    ),
    replaced: (conn) =>
      elementsOf(conn, table, set)
        .filter(({ key, keyEnd = key }) =>
          [key, keyEnd].every((bytes) => contains(subnet, ipAt(bytes, first.length))),
        )
        .map((element) => setElement('delete', table, set, element, what)),
  };
}

function ipAt(key: Uint8Array, length: number): IpAddress {
  return ipFromBytes(key.subarray(0, length)) ?? { family: 4, value: 0n };
}

/** The subnets that lie in no other of them, each once. */
export function distinct(subnets: readonly IpPrefix[]): IpPrefix[] {
  const found: IpPrefix[] = [];
  for (const subnet of subnets.toSorted((a, b) => a.prefixLength - b.prefixLength)) {
    if (!found.some((wider) => contains(wider, subnet.address))) found.push(subnet);
  }
  return found;
}
