import type { CniVersion } from '../../src/cni/versions.ts';
import { atLeast } from '../../src/cni/versions.ts';
import { ConfigError } from '../../src/errors.ts';
import { formatIp, formatPrefix, type IpAddress, isHostAddress, sameIp } from '../../src/ip/address.ts';
import type { PodAddress } from '../layout.ts';

/**
 * Checks addresses that were not chosen here: each must be one that an interface can have, must be free on this host,
 * whose routes know one container for an address, must not be its own gateway, and must have room in a result of
 * `version` (before 0.3.0 that has one address of each family).
 *
 * Throws {@link ConfigError}.
 */
export function assertUsable(
  pods: readonly PodAddress[],
  version: CniVersion,
  inUse: (ip: IpAddress) => boolean,
): void {
  for (const [i, { address, gateway }] of pods.entries()) {
    const ip = address.address;
    const name = formatIp(ip);
    if (!isHostAddress(ip)) {
      throw new ConfigError('ips', `${name} is no interface's address; allowed: a unicast address`);
    }
    const others = pods.slice(0, i).map((pod) => pod.address.address);
    if (others.some((other) => sameIp(other, ip))) throw new ConfigError('ips', `${name} is given twice`);
    if (!atLeast(version, '0.3.0') && others.some((other) => other.family === ip.family)) {
      throw new ConfigError(
        'ips',
        `${formatPrefix(address)} is one too many: cniVersion ${version} has room for one IPv${ip.family} address`,
      );
    }
    if (gateway !== undefined && sameIp(gateway, ip)) {
      throw new ConfigError('ips', `${name} cannot be both the container's address and its gateway`);
    }
    if (inUse(ip)) throw new ConfigError('ips', `${name} is not available: it is in use on this host`);
  }
}
