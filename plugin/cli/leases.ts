import { parseIp } from '../../src/ip/address.ts';
import { type LeaseOwner, openStore } from '../../src/ipam/store.ts';
import type { Found } from './found.ts';
import { type Networks, plumbEntries } from './networks.ts';
import { compareIps } from './order.ts';

/** A leased address. */
export interface Lease {
  readonly dataDir: string;
  readonly network: string;
  /** The name of its file. */
  readonly address: string;
  /** Its `ifname` is empty in leases of old host-local versions. */
  readonly owner: LeaseOwner;
}

/**
 * Every lease of the networks that plumb is configured for or has records of, also those that other plugins made there.
 * Throws {@link SyscallError}.
 */
export function readLeases(networks: Networks, found: Iterable<Found>): Lease[] {
  const folders = new Map<string, { readonly dataDir: string; readonly network: string }>();
  const note = (dataDir: string | undefined, network: string): void => {
    if (dataDir !== undefined) folders.set(`${dataDir}/${network}`, { dataDir, network });
  };
  for (const { dataDir, network } of plumbEntries(networks)) note(dataDir, network);
  for (const { record } of found) if (record !== undefined) note(record.dataDir, record.network);
  return [...folders.values()].flatMap(({ dataDir, network }) =>
    [...openStore(dataDir, network).owners()]
      .flatMap(([address, owner]) => (owner === undefined ? [] : [{ dataDir, network, address, owner }]))
      .sort((a, b) => compareIps(parseIp(a.address), parseIp(b.address))),
  );
}
