import { isErrno } from '../../errors.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from '../abi/netlink.ts';
import { RTM_DELADDR, RTM_GETADDR, RTM_NEWADDR } from '../abi/rtnetlink.ts';
import { AF_INET, AF_INET6 } from '../abi/socket.ts';
import type { Connection, Request } from '../conn.ts';
import { addressMessage, decodeAddress, type InterfaceAddress } from '../message/address.ts';

/** An address to put on a link. */
export interface AddressSpec {
  readonly ifindex: number;
  readonly address: string;
  /** Prefix length in bits. */
  readonly prefixLength: number;
  /** IFA_F_* bits, such as IFA_F_NODAD. */
  readonly flags?: number;
  /** RT_SCOPE_*. */
  readonly scope?: number;
}

/** The AF_* number for an address's text. */
export function addressFamily(address: string): number {
  return address.includes(':') ? AF_INET6 : AF_INET;
}

function payload(spec: AddressSpec): Uint8Array {
  const { ifindex, address, prefixLength, scope = 0, flags } = spec;
  return addressMessage.encode(
    { family: addressFamily(address), prefixLength, scope, index: ifindex },
    { local: address, address, flags },
  );
}

/** The request of {@link addAddress} (or, with `replace`, of {@link replaceAddress}), for a batch. */
export function addressRequest(spec: AddressSpec, dev: string, replace = false): Request {
  return {
    type: RTM_NEWADDR,
    name: 'RTM_NEWADDR',
    flags: NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL),
    payload: payload(spec),
    what: `add address ${spec.address}/${spec.prefixLength} dev ${dev}`,
  };
}

/** Adds an address. Throws {@link NetlinkError}: EEXIST when the link has it, ENODEV. */
export function addAddress(conn: Connection, spec: AddressSpec): void {
  conn.request(addressRequest(spec, `${spec.ifindex}`));
}

/** Adds an address, or renews it when the link has it. Throws {@link NetlinkError}. */
export function replaceAddress(conn: Connection, spec: AddressSpec): void {
  conn.request(addressRequest(spec, `${spec.ifindex}`, true));
}

/** Removes an address; absence (of the link, too) is success. */
export function deleteAddress(conn: Connection, spec: AddressSpec): void {
  try {
    conn.request({
      type: RTM_DELADDR,
      name: 'RTM_DELADDR',
      payload: payload(spec),
      what: `delete address ${spec.address}/${spec.prefixLength} dev ${spec.ifindex}`,
    });
  } catch (error) {
    if (!isErrno(error, 'EADDRNOTAVAIL', 'ENODEV')) throw error;
  }
}

/** The addresses of the namespace, or of one link. */
export function listAddresses(conn: Connection, ifindex?: number): InterfaceAddress[] {
  const all = conn
    .dump({
      type: RTM_GETADDR,
      name: 'RTM_GETADDR',
      payload: addressMessage.encode({ index: ifindex ?? 0 }, {}),
      what: 'list addresses',
    })
    .map(decodeAddress);
  // Kernels without NETLINK_GET_STRICT_CHK ignore the index in the request.
  return ifindex === undefined ? all : all.filter((address) => address.ifindex === ifindex);
}
