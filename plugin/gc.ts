import type { NetworkConfig } from '../src/cni/config.ts';
import { CniError } from '../src/cni/error.ts';
import { errorMessage } from '../src/errors.ts';
import { listAllLinks } from '../src/netlink/helpers.ts';
import { listMasquerades } from '../src/nftables/masquerade.ts';
import { storeOf } from './ipam.ts';
import { hostInterfaceName, isHostInterface, isOfNetwork } from './names.ts';
import { teardown } from './teardown.ts';

/**
 * GC: removes what this network has for attachments that are not in the runtime's list: host ends, masquerading,
 * leases; and masquerading for host ends that no longer exist. Everything is tried; what failed is reported together.
 *
 * Throws {@link CniError} 7 when the list is missing, for then nothing is known to be stale.
 */
export function gc(config: NetworkConfig): void {
  const { name: network, validAttachments } = config;
  if (validAttachments === undefined) {
    throw new CniError(7, 'cni.dev/valid-attachments: missing; without it nothing is known to be stale');
  }
  const id = (containerId: string, ifname: string): string => `${containerId}\0${ifname}`;
  const valid = new Set(validAttachments.map((a) => id(a.containerID, a.ifname)));
  const validContainers = new Set(validAttachments.map((a) => a.containerID));
  const validHostNames = new Set(
    validAttachments.map((a) => hostInterfaceName({ network, containerId: a.containerID, ifname: a.ifname })),
  );
  const store = storeOf(config);
  const links = listAllLinks();
  const present = new Set(links.map((link) => link.name));
  const stale = new Set<string>();
  for (const link of links) {
    if (isHostInterface(link.name) && isOfNetwork(link.alias, network) && !validHostNames.has(link.name)) {
      stale.add(link.name);
    }
  }
  // A host end that was killed before it got its alias is found by its lease.
  for (const owner of store?.owners().values() ?? []) {
    if (owner === undefined || owner.ifname === '') continue;
    const hostName = hostInterfaceName({ network, containerId: owner.containerId, ifname: owner.ifname });
    if (!validHostNames.has(hostName)) stale.add(hostName);
  }
  // The link is made before its rule: a rule without one belongs to nobody any more, in whatever network.
  for (const hostName of listMasquerades()) if (!present.has(hostName)) stale.add(hostName);

  const failures: string[] = [];
  for (const hostName of stale) {
    try {
      teardown(hostName);
    } catch (error) {
      failures.push(errorMessage(error));
    }
  }
  // An address is not free as long as something may still answer for it.
  if (failures.length > 0) throw new CniError(102, `network ${network}: ${failures.join('; ')}`);
  // Leases of old host-local versions name the container alone.
  store?.collect(({ containerId, ifname }) =>
    ifname === '' ? validContainers.has(containerId) : valid.has(id(containerId, ifname)),
  );
}
