import { formatIp } from '../../../src/ip/address.ts';
import { NetlinkError } from '../../../src/netlink/errors.ts';
import { type Hop, place } from './hop.ts';
import type { Forwarded } from './host.ts';
import { listening } from './listening.ts';
import type { View } from './view.ts';

/** The container that a packet comes to. */
export interface Receiver {
  readonly containerId: string;
  readonly ifname: string;
  readonly netns: string;
  readonly inside: View;
}

/** What happens to a packet in the container that it comes to. */
export function* arrive(
  { containerId, ifname, netns, inside }: Receiver,
  { packet, from }: Forwarded,
): Generator<Hop> {
  const here = place(`container ${containerId}`);
  const to = formatIp(packet.to);
  const enter = `nsenter --net=${netns} ip`;
  const link = inside.links.find(({ name }) => name === ifname);
  if (link?.up !== true) {
    yield here.stops(
      `${ifname} is ${link === undefined ? 'missing' : 'down'}`,
      `${enter} link set ${ifname} up`,
    );
    return;
  }
  if (!inside.has(packet.to)) {
    yield here.stops(`it does not have the address ${to}`, `${enter} addr add ${to} dev ${ifname}`);
    return;
  }
  const back = inside.route({ to: formatIp(from), from: to });
  if (back instanceof NetlinkError) {
    yield here.stops(
      `the answer finds no route to ${formatIp(from)} (${back.code})`,
      `${enter} route add ${formatIp(from)} via GATEWAY`,
    );
    return;
  }
  yield here.ok(`${ifname} has ${to}`);
  yield* listening(here, inside, packet);
}
