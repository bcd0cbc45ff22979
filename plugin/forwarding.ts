import { isErrno } from '../src/errors.ts';
import { RTPROT_RA } from '../src/netlink/abi/rtnetlink.ts';
import type { Connection } from '../src/netlink/conn.ts';
import { findLink } from '../src/netlink/ops/links.ts';
import { listRoutes } from '../src/netlink/ops/routes.ts';
import { getSysctl, setSysctl } from '../src/sys/sysctl.ts';

const SWITCHES = { 4: 'net/ipv4/ip_forward', 6: 'net/ipv6/conf/all/forwarding' } as const;

/** Whether the host forwards packets of a family; one that it does not know at all is not forwarded. */
export function isForwarding(family: 4 | 6): boolean {
  try {
    return getSysctl(SWITCHES[family]) !== '0';
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/**
 * Whether what comes in by a link is forwarded too, where the host forwards at all. Only IPv4 has a switch for each
 * link, whose first position is that of `net.ipv4.conf.default`. Throws {@link SyscallError}.
 */
export function isForwardingFrom(name: string, family: 4 | 6): boolean {
  return family === 6 || getSysctl(switchOf(name)) !== '0';
}

function switchOf(name: string): string {
  return `net/ipv4/conf/${name}/forwarding`;
}

/**
 * Lets the host forward packets of a family that come in by the link `name` (ip-sysctl in the kernel's documentation);
 * nothing is written where it does already. The host's own switch stays on when the container goes: others may rely on
 * it. Throws {@link SyscallError}.
 */
export function enableForwarding(host: Connection, name: string, family: 4 | 6): void {
  if (family === 6 && !isForwarding(6)) keepLearnedRoutes(host);
  setSysctl(SWITCHES[family], '1');
  if (family === 4) setSysctl(switchOf(name), '1');
}

// A router does not listen to router advertisements, unless accept_ra is 2: without that the host's own default route,
// if it came by one, is dropped or runs out.
function keepLearnedRoutes(host: Connection): void {
  const learned = listRoutes(host, { family: 6 }).filter((route) => route.protocol === RTPROT_RA);
  for (const ifindex of new Set(learned.map((route) => route.ifindex))) {
    const name = ifindex === undefined ? undefined : findLink(host, ifindex)?.name;
    if (name === undefined) continue;
    const key = `net/ipv6/conf/${name}/accept_ra`;
    if (getSysctl(key) === '1') setSysctl(key, '2');
  }
}
