import { isErrno } from '../../errors.ts';
import { NUD_PERMANENT } from '../abi/neighbour.ts';
import { NLM_F_CREATE, NLM_F_REPLACE } from '../abi/netlink.ts';
import { RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH } from '../abi/rtnetlink.ts';
import type { Connection } from '../conn.ts';
import { decodeNeighbour, type Neighbour, neighbourMessage } from '../message/neighbour.ts';
import { addressFamily } from './addresses.ts';

/** Sets the permanent neighbour entry of an address. Throws {@link NetlinkError}. */
export function replaceNeighbour(conn: Connection, ifindex: number, address: string, mac: string): void {
  conn.request({
    type: RTM_NEWNEIGH,
    name: 'RTM_NEWNEIGH',
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    payload: neighbourMessage.encode(
      { family: addressFamily(address), ifindex, state: NUD_PERMANENT },
      { dst: address, lladdr: mac },
    ),
    what: `replace neighbour ${address} lladdr ${mac} dev ${ifindex}`,
  });
}

/** Deletes a neighbour entry; absence is success. */
export function deleteNeighbour(conn: Connection, ifindex: number, address: string): void {
  try {
    conn.request({
      type: RTM_DELNEIGH,
      name: 'RTM_DELNEIGH',
      payload: neighbourMessage.encode({ family: addressFamily(address), ifindex }, { dst: address }),
      what: `delete neighbour ${address} dev ${ifindex}`,
    });
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENODEV')) throw error;
  }
}

/** The neighbour table of the namespace, or of one link. */
export function listNeighbours(conn: Connection, ifindex?: number): Neighbour[] {
  return conn
    .dump({
      type: RTM_GETNEIGH,
      name: 'RTM_GETNEIGH',
      payload: neighbourMessage.encode({}, {}),
      what: 'list neighbours',
    })
    .map(decodeNeighbour)
    .filter((neighbour) => ifindex === undefined || neighbour.ifindex === ifindex);
}
