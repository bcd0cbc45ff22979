import type { NetworkConfig } from '../../src/cni/config.ts';
import { delegated, type Received } from './delegated.ts';
import { hostLocal } from './host-local.ts';
import type { Ipam } from './ipam.ts';
import { noIpam } from './none.ts';
import { staticIpam } from './static.ts';

/** The IPAM that a configuration asks for; nothing is read, made or run before it is used. */
export function openIpam(config: NetworkConfig, received: Received): Ipam {
  const { ipam } = config;
  if (ipam === undefined) return noIpam;
  if (ipam.type === 'host-local') return hostLocal(config, ipam);
  if (ipam.type === 'static') return staticIpam(config, ipam);
  return delegated(config, ipam.type, received);
}
