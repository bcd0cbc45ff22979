import type { CniArgs } from '../../src/cni/cni-args.ts';
import type { Dns, Route } from '../../src/cni/config.ts';
import type { IpAddress } from '../../src/ip/address.ts';
import type { LeaseOwner } from '../../src/ipam/store.ts';
import type { PodAddress } from '../layout.ts';
import type { AttachmentKey } from '../names.ts';
import type { Undo } from '../undo.ts';

/** What an attachment is given: addresses with their gateways, routes inside the container, name resolution. */
export interface Assignment {
  readonly pods: readonly PodAddress[];
  readonly routes: readonly Route[];
  readonly dns: Dns;
}

/** What {@link Ipam.add} is told. */
export interface AddRequest {
  readonly key: AttachmentKey;
  readonly args: CniArgs;
  /** Where to register how to take back what is about to be done. */
  readonly undo: Undo;
  /** Whether an address is in use on this host, leased or not. */
  readonly inUse: (ip: IpAddress) => boolean;
  /** Whether the owner of a lease still has an attachment; absent where leases of before a reboot are gone already. */
  readonly isLive?: (owner: LeaseOwner) => boolean;
}

/** Where the addresses of a network come from. */
export interface Ipam {
  /** Folder of the leases, if leases are kept here. */
  readonly dataDir?: string;
  /** The routes that ADD gives, where the configuration alone says so; otherwise they are known from its result only. */
  readonly routes: readonly Route[] | undefined;
  /** Gives an attachment its addresses, all or none. */
  add(request: AddRequest): Assignment;
  /** Takes them back; that there are none is success. */
  del(key: AttachmentKey): void;
  /** What is not as ADD left it, in words; `addresses` are those that the attachment should have. */
  check(key: AttachmentKey, addresses: readonly IpAddress[]): string[];
  /** Whoever has a lease here, as far as that is known here; without `ifname` in leases of old host-local versions. */
  owners(): LeaseOwner[];
  /** Takes back what those have who are not valid. */
  gc(isValid: (owner: LeaseOwner) => boolean): void;
  /** Throws {@link CniError} 50 or 51 when an ADD would fail at this moment; takes no lock, writes nothing. */
  status(): void;
}
