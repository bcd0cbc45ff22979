import { getSysctl } from '../../src/sys/sysctl.ts';

/**
 * Whether what comes in by a link is dropped if the answer would go out by another (rp_filter of ip-sysctl in the kernel's
 * documentation: of a link and of `all` the higher one counts, and 1 is strict). IPv6 has no such switch. It is asked of the network
 * namespace that the calling thread is in. Throws {@link SyscallError}.
 */
export function isStrict(name: string): boolean {
  const values = ['all', name].map((link) => Number(getSysctl(`net/ipv4/conf/${link}/rp_filter`)));
  return Math.max(...values) === 1;
}
