import type { NetworkConfig } from '../src/cni/config.ts';
import type { Environment } from '../src/cni/environment.ts';
import { storeOf } from './ipam.ts';
import { hostInterfaceName } from './names.ts';
import { teardown } from './teardown.ts';

/**
 * DEL: works from network, container id and interface name alone, namespace or not; what is gone already is
 * success. The lease goes last: an address that something still answers for is never given out again.
 */
export function del(env: Environment, config: NetworkConfig): void {
  const key = { network: config.name, containerId: env.containerId, ifname: env.ifname };
  teardown(hostInterfaceName(key));
  storeOf(config)?.release(key);
}
