import { type IpAddress, type IpPrefix, ipToBytes, lastOf, networkOf } from '../ip/address.ts';
import type { Request } from '../netlink/conn.ts';
import { newSet, setElement } from '../netlink/message/nft.ts';
import { concat } from '../netlink/wire/buffer.ts';
import { concatenated, TYPE_IP6ADDR, TYPE_IPADDR } from './names.ts';

// Sets that tell whether source and destination of a packet are in one subnet: each element is a subnet, twice, and
// there is one for each network and not for each container. They stay when the network goes.

/** The sets of pairs, one for each family, with the names `<prefix>4` and `<prefix>6`; `id` and the next are theirs. */
export function newPairSets(table: string, prefix: string, id: number): Request[] {
  return [
    newSet({
      table,
      name: `${prefix}4`,
      keyType: concatenated(TYPE_IPADDR, TYPE_IPADDR),
      keyLength: 8,
      fields: [4, 4],
      id,
    }),
    newSet({
      table,
      name: `${prefix}6`,
      keyType: concatenated(TYPE_IP6ADDR, TYPE_IP6ADDR),
      keyLength: 32,
      fields: [16, 16],
      id: id + 1,
    }),
  ];
}

/** Looks up the pair that covers an address; `prefix` as in {@link newPairSets}. */
export function findPair(table: string, prefix: string, { family, value }: IpAddress): Request {
  const bytes = ipToBytes({ family, value });
  const set = `${prefix}${family}`;
  return setElement(
    'GET',
    table,
    set,
    { key: concat([bytes, bytes]) },
    `subnet of a network (table inet ${table}, set ${set})`,
  );
}

/** Adds the subnet of an address to the set of its family; EEXIST if it lies within one that is there. */
export function addPair(table: string, prefix: string, subnet: IpPrefix): Request {
  const first = ipToBytes(networkOf(subnet));
  const last = ipToBytes(lastOf(subnet));
  const set = `${prefix}${subnet.address.family}`;
  return setElement(
    'NEW',
    table,
    set,
    { key: concat([first, first]), keyEnd: concat([last, last]) },
    `subnet of a network (table inet ${table}, set ${set})`,
  );
}
