import type { NetworkConfig } from '../src/cni/config.ts';
import { CniError } from '../src/cni/error.ts';
import { errorMessage } from '../src/errors.ts';
import { type LeaseOwner, type LeaseStore, openStore } from '../src/ipam/store.ts';
import { listAllLinks } from '../src/netlink/helpers.ts';
import { openRecords } from '../src/state/record.ts';
import { FEATURES } from './features/all.ts';
import type { Ipam } from './ipam/ipam.ts';
import { type AttachmentKey, attachmentOfAlias, hostInterfaceName, isHostInterface, isIfb } from './names.ts';
import { teardown } from './teardown.ts';

/**
 * GC: removes what this network has for attachments that are not in the runtime's list: masquerading, host ends,
 * leases, records; and masquerading for host ends that no longer exist. Everything is tried; what failed is reported
 * together, and then leases and records stay for the next time.
 *
 * Throws {@link CniError} 7 when the list is missing, for then nothing is known to be stale.
 */
export function gc(config: NetworkConfig, ipam: Ipam): void {
  const { name: network, validAttachments } = config;
  if (validAttachments === undefined) {
    throw new CniError(7, 'cni.dev/valid-attachments: missing; without it nothing is known to be stale');
  }
  const valid = new Set<string>();
  const validContainers = new Set<string>();
  for (const { containerID: containerId, ifname } of validAttachments) {
    valid.add(hostInterfaceName({ network, containerId, ifname }));
    validContainers.add(containerId);
  }
  const stale = new Map<string, AttachmentKey>();
  const suspect = (key: AttachmentKey): void => {
    const hostName = hostInterfaceName(key);
    if (key.network === network && !valid.has(hostName)) stale.set(hostName, key);
  };

  // Those of earlier configurations.
  const stores = new Map<string, LeaseStore>();
  const records = openRecords(config.runDir, network);
  const recorded = records.names();
  for (const name of recorded) {
    const record = records.read(name);
    if (record === undefined) continue;
    suspect(record);
    const { dataDir } = record;
    if (dataDir !== undefined && dataDir !== ipam.dataDir) stores.set(dataDir, openStore(dataDir, network));
  }
  // Before the links: a container that comes meanwhile has its link first and its rule then.
  const sweeps = FEATURES.map((feature) => feature.survey());
  const links = listAllLinks();
  for (const link of links) {
    const key = isHostInterface(link.name) || isIfb(link.name) ? attachmentOfAlias(link.alias) : undefined;
    if (key !== undefined) suspect(key);
  }
  // One that was killed before it had record or alias is found by its lease.
  const earlier = [...stores.values()].flatMap((store) => [...store.owners().values()]);
  for (const owner of [...ipam.owners(), ...earlier]) {
    if (owner !== undefined && owner.ifname !== '') suspect({ network, ...owner });
  }

  const failures: string[] = [];
  const attempt = (fn: () => void): void => {
    try {
      fn();
    } catch (error) {
      failures.push(errorMessage(error));
    }
  };
  for (const [hostName, key] of stale) attempt(() => teardown(key, records.read(hostName))());
  // A rule without a link belongs to nobody any more, in whatever network.
  const present = new Set(links.map((link) => link.name));
  for (const sweep of sweeps) attempt(() => sweep(present));
  // An address is not free as long as something may still answer for it.
  if (failures.length > 0) throw new CniError(102, `network ${network}: ${failures.join('; ')}`);
  const isValid = ({ containerId, ifname }: LeaseOwner): boolean =>
    // Leases of old host-local versions name the container alone.
    ifname === ''
      ? validContainers.has(containerId)
      : valid.has(hostInterfaceName({ network, containerId, ifname }));
  for (const store of stores.values()) store.collect(isValid);
  ipam.gc(isValid);
  for (const name of recorded) if (!valid.has(name)) records.remove(name);
}
