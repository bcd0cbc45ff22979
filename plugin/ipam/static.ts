import type { CniArgs } from '../../src/cni/cni-args.ts';
import type { IpamConfig, NetworkConfig, StaticAddress } from '../../src/cni/config.ts';
import { ConfigError } from '../../src/errors.ts';
import { contains, parseIp, parsePrefix } from '../../src/ip/address.ts';
import type { PodAddress } from '../layout.ts';
import type { Ipam } from './ipam.ts';
import { assertUsable } from './usable.ts';

/**
 * `"type": "static"`: addresses that the configuration or the runtime names, as with the reference plugin.
 * runtimeConfig.ips takes the place of args.cni.ips, and that of `addresses` and of IP of CNI_ARGS, which add up. All
 * are in CIDR notation. A GATEWAY of CNI_ARGS belongs to each address in whose network it lies.
 */
export function staticIpam(config: NetworkConfig, ipam: IpamConfig): Ipam {
  const { routes, dns = {} } = ipam;
  return {
    routes,
    add: ({ args, inUse }) => {
      const pods = addresses(config, ipam, args);
      assertUsable(pods, config.cniVersion, inUse);
      return { pods, routes, dns };
    },
    del: () => undefined,
    check: () => [],
    owners: () => [],
    gc: () => undefined,
    status: () => undefined,
  };
}

function addresses(config: NetworkConfig, ipam: IpamConfig, args: CniArgs): PodAddress[] {
  const requested = (list: readonly string[]): StaticAddress[] => list.map((address) => ({ address }));
  const given =
    config.ips.length > 0
      ? requested(config.ips)
      : [...(ipam.addresses ?? []), ...requested(args.ip?.split(',') ?? [])];
  if (given.length === 0) {
    throw new ConfigError('ipam.addresses', 'missing: static needs an address, here or from the runtime');
  }
  const gateways = (args.gateway?.split(',') ?? []).flatMap((text) => parseIp(text) ?? []);
  return given.map((item) => {
    const address = parsePrefix(item.address);
    if (address === undefined) {
      throw new ConfigError(
        'ips',
        `${JSON.stringify(item.address)} is not allowed; allowed with static: an address in CIDR notation such as 10.1.0.5/24`,
      );
    }
    const gateway = gateways.findLast((ip) => contains(address, ip)) ?? parseIp(item.gateway ?? '');
    return { address, gateway };
  });
}
