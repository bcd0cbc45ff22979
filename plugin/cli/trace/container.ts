import { formatIp, type IpAddress, parseIp } from '../../../src/ip/address.ts';
import { NUD_NOARP, NUD_PERMANENT } from '../../../src/netlink/abi/neighbour.ts';
import { RTN_LOCAL } from '../../../src/netlink/abi/rtnetlink.ts';
import { NetlinkError } from '../../../src/netlink/errors.ts';
import type { Link } from '../../../src/netlink/message/link.ts';
import { listAddresses } from '../../../src/netlink/ops/addresses.ts';
import { listNeighbours } from '../../../src/netlink/ops/neighbours.ts';
import { getSysctl } from '../../../src/sys/sysctl.ts';
import { type Hop, place } from './hop.ts';
import { listening } from './listening.ts';
import type { Packet } from './packet.ts';
import type { View } from './view.ts';

/** A packet that has come to the host. */
export interface Departed {
  readonly from: IpAddress;
  /** The hardware address that it is sent from. */
  readonly mac: string;
  readonly hostEnd: Link;
}

const here = place('container');

/** What happens to a packet in the container that sends it; returns nothing if it does not come to the host. */
export function* leave(
  inside: View,
  host: View,
  netns: string,
  packet: Packet,
): Generator<Hop, Departed | undefined> {
  const to = formatIp(packet.to);
  const enter = `nsenter --net=${netns} ip`;
  const route = inside.route({ to });
  if (route instanceof NetlinkError) {
    const down = inside.links.find(({ up, name }) => !up && name !== 'lo');
    yield down === undefined
      ? here.stops(
          `there is no route to ${to} (${route.code})`,
          `${enter} route add ${to} via GATEWAY; the network's configuration has its routes in ipam.routes`,
        )
      : here.stops(
          `there is no route to ${to} (${route.code}), and ${down.name} is down, which has no routes then`,
          `${enter} link set ${down.name} up, and its routes anew`,
        );
    return undefined;
  }
  if (route.type === RTN_LOCAL) {
    yield here.ok(`${to} is the container's own address`);
    yield* listening(here, inside, packet);
    return undefined;
  }
  const link = inside.link(route.ifindex);
  const from = parseIp(route.prefsrc ?? '');
  if (link === undefined || from === undefined) {
    yield here.stops(
      `the route to ${to} has no interface or no source address`,
      `${enter} route get ${to} tells more`,
    );
    return undefined;
  }
  const via = route.gateway === undefined ? '' : ` via ${route.gateway}`;
  yield here.ok(`routed${via} dev ${link.name}, from ${formatIp(from)}`);
  const hostEnd = host.links.find(
    ({ index, peerIndex }) => index === link.peerIndex && peerIndex === link.index,
  );
  if (link.kind !== 'veth' || hostEnd === undefined) {
    yield here.unsure(`what is behind ${link.name} (${link.kind ?? 'hardware'}) is not known here`);
    return undefined;
  }
  if (!hostEnd.up) {
    yield place('host').stops(
      `${hostEnd.name}, the other end of ${link.name}, is down`,
      `ip link set ${hostEnd.name} up; plumb doctor tells which routes have gone with it`,
    );
    return undefined;
  }
  yield here.ok(`${link.name} leads to ${hostEnd.name} on the host`);
  const next = route.gateway ?? to;
  if (!isAnswered(inside, host, link, hostEnd, next)) {
    yield here.stops(
      `nobody answers for ${next}: ${hostEnd.name} does not have that address`,
      `ip addr add ${next}/${next.includes(':') ? 128 : 32} dev ${hostEnd.name}`,
    );
    return undefined;
  }
  return { from, mac: link.mac ?? '', hostEnd };
}

/** Whether the container finds its next hop, by an entry that stays or since the host answers. */
function isAnswered(inside: View, host: View, link: Link, hostEnd: Link, next: string): boolean {
  // Behind a bridge anybody may answer.
  if (hostEnd.masterIndex !== undefined) return true;
  const known = listNeighbours(inside.conn, link.index).find(({ address }) => address === next);
  if (((known?.state ?? 0) & (NUD_PERMANENT | NUD_NOARP)) !== 0) return true;
  const address = parseIp(next);
  if (address === undefined) return false;
  // In IPv4 the host answers for whatever address it has, in IPv6 for those of the link.
  if (address.family === 6)
    return listAddresses(host.conn, hostEnd.index).some((one) => one.address === next);
  return host.has(address) || getSysctl(`net/ipv4/conf/${hostEnd.name}/proxy_arp`) === '1';
}
