import { isErrno } from '../src/errors.ts';
import { withNetnsFd } from '../src/sys/netns.ts';
import { setSysctl } from '../src/sys/sysctl.ts';
import type { PodAddress } from './layout.ts';

/** Whether a container gets IPv6 addresses. */
export function usesIpv6(pods: readonly PodAddress[]): boolean {
  return pods.some(({ address }) => address.address.family === 6);
}

/**
 * Sets what the two ends of a new link do with IPv6, before they are up.
 *
 * With IPv6 addresses both ends have it, where new links of the host or the container do not.
 *
 * With IPv4 addresses alone the host's end has none. By it the container could reach whatever listens on the host, past rules
 * that are for IPv4, and it would get a route to ff00::/8: these are one list, which the kernel goes through for each new
 * link, however many there are.
 *
 * Wherever it has IPv6, it ignores router advertisements: as long as the host does not forward IPv6, it would take its default
 * route from what the container sends (CVE-2020-10749).
 *
 * Throws {@link SyscallError}.
 */
export function settleIpv6(
  hostName: string,
  ifname: string,
  netnsFd: number,
  pods: readonly PodAddress[],
): void {
  if (usesIpv6(pods)) {
    setSysctl(switchOf(hostName), '0');
    withNetnsFd(netnsFd, () => setSysctl(switchOf(ifname), '0'));
  } else if (pods.length > 0) {
    switchOffIpv6(hostName);
    return;
  }
  setIfThere(`net/ipv6/conf/${hostName}/accept_ra`, '0');
}

/** Takes IPv6 from a link that needs none; nothing is written where it has none already. Throws {@link SyscallError}. */
export function switchOffIpv6(name: string): void {
  setIfThere(switchOf(name), '1');
}

function switchOf(name: string): string {
  return `net/ipv6/conf/${name}/disable_ipv6`;
}

function setIfThere(key: string, value: string): void {
  try {
    setSysctl(key, value);
  } catch (error) {
    // A kernel without IPv6, or a host that hides it.
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
