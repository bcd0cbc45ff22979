import type { NetworkConfig } from '../src/cni/config.ts';
import type { Environment } from '../src/cni/environment.ts';
import { deleteLinkByName } from '../src/netlink/helpers.ts';
import { removeMasquerade } from '../src/nftables/masquerade.ts';
import { storeOf } from './ipam.ts';
import { hostInterfaceName } from './names.ts';

/**
 * DEL: works from network, container id and interface name alone, namespace or not; what is gone already is
 * success. Rules that steer traffic go before the link, the link before the lease: an address that something still answers for is never given out again.
 */
export function del(env: Environment, config: NetworkConfig): void {
  const key = { network: config.name, containerId: env.containerId, ifname: env.ifname };
  const hostName = hostInterfaceName(key);
  // Whatever the configuration says by now: it may have said ipMasq when the container was added.
  removeMasquerade(hostName);
  deleteLinkByName(hostName);
  storeOf(config)?.release(key);
}
