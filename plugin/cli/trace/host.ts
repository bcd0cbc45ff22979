import { formatIp, type IpAddress, parseIp } from '../../../src/ip/address.ts';
import { NUD_FAILED } from '../../../src/netlink/abi/neighbour.ts';
import { RTN_LOCAL } from '../../../src/netlink/abi/rtnetlink.ts';
import { NetlinkError } from '../../../src/netlink/errors.ts';
import type { Link } from '../../../src/netlink/message/link.ts';
import type { Route } from '../../../src/netlink/message/route.ts';
import { listNeighbours } from '../../../src/netlink/ops/neighbours.ts';
import { isKeptApart, isSpoofed } from '../../../src/nftables/guard-verdict.ts';
import { isMasqueraded } from '../../../src/nftables/masquerade.ts';
import {
  hasPortMappingRules,
  type ListedPort,
  listPortMappings,
  listSourceNat,
} from '../../../src/nftables/port-mappings.ts';
import { isForwarding, isForwardingFrom } from '../../forwarding.ts';
import type { Firewall } from '../foreign-firewalls.ts';
import { isStrict } from '../rp-filter.ts';
import type { Departed } from './container.ts';
import { type Hop, place } from './hop.ts';
import { listening } from './listening.ts';
import { type Packet, PROTOCOL_NUMBERS } from './packet.ts';
import type { View } from './view.ts';

/** A packet that goes out by a link of the host. */
export interface Forwarded {
  readonly packet: Packet;
  readonly out: Link;
  /** The source that it is seen under. */
  readonly from: IpAddress;
}

const here = place('host');

/** What happens to a container's packet on the host; returns nothing if it goes no further. */
export function* cross(
  host: View,
  departed: Departed,
  sent: Packet,
  firewalls: readonly Firewall[],
): Generator<Hop, Forwarded | undefined> {
  const { from, mac, hostEnd } = departed;
  if (isSpoofed(hostEnd.name, mac, from)) {
    yield here.stops(
      `antiSpoofing of ${hostEnd.name} drops what comes from ${formatIp(from)} with ${mac}`,
      'send from the address and MAC that the container was given, or make it anew without antiSpoofing',
    );
    return undefined;
  }
  const packet = yield* redirected(host, sent);
  const to = formatIp(packet.to);
  const route = host.route({ to, from: formatIp(from), iif: hostEnd.masterIndex ?? hostEnd.index });
  const isLocal = !(route instanceof NetlinkError) && route.type === RTN_LOCAL;
  const refusal = refusalOf(host, hostEnd, from, route, isLocal, to);
  if (refusal !== undefined) {
    yield refusal;
    return undefined;
  }
  if (route instanceof NetlinkError) return undefined;
  if (isLocal) {
    yield here.ok(`${to} is the host's own address`);
    yield* listening(here, host, packet);
    return undefined;
  }
  return yield* forwarded(host, departed, packet, route, firewalls);
}

/** What a mapped port of the host makes of a packet. */
function* redirected(host: View, packet: Packet): Generator<Hop, Packet> {
  const { protocol, port, to } = packet;
  if (port === undefined || !host.has(to)) return packet;
  const target = mappingOf(packet)?.target;
  if (target === undefined || !hasPortMappingRules()) return packet;
  const where = target.address.family === 6 ? `[${formatIp(target.address)}]` : formatIp(target.address);
  yield here.ok(`port ${port}/${protocol} of the host leads to ${where}:${target.port}`);
  return { protocol, to: target.address, port: target.port };
}

function mappingOf({ protocol, to, port }: Packet): ListedPort | undefined {
  const mapped = listPortMappings().filter(
    (it) =>
      it.port.family === to.family &&
      it.port.protocol === PROTOCOL_NUMBERS[protocol] &&
      it.port.hostPort === port,
  );
  return (
    mapped.find((it) => it.port.hostIp?.value === to.value) ??
    mapped.find((it) => it.port.hostIp === undefined)
  );
}

/** Why the host does not take or route a packet. */
function refusalOf(
  host: View,
  hostEnd: Link,
  from: IpAddress,
  route: Route | NetlinkError,
  isLocal: boolean,
  to: string,
): Hop | undefined {
  const { family } = from;
  const back = host.route({ to: formatIp(from) });
  const wayBack = back instanceof NetlinkError ? undefined : host.link(back.ifindex);
  const returns = wayBack?.index === hostEnd.index || hostEnd.masterIndex !== undefined;
  if (!returns && family === 4 && isStrict(hostEnd.name)) {
    return here.stops(
      `rp_filter drops it: the host's route to ${formatIp(from)} leads ${elsewhere(wayBack)}`,
      `${hostRoute(from, hostEnd)}, or sysctl -w net.ipv4.conf.${hostEnd.name}.rp_filter=2`,
    );
  }
  if (!isLocal && !isForwarding(family)) {
    const key = family === 4 ? 'net.ipv4.ip_forward' : 'net.ipv6.conf.all.forwarding';
    return here.stops(`the host does not forward IPv${family}`, `sysctl -w ${key}=1`);
  }
  if (!isLocal && !isForwardingFrom(hostEnd.name, family)) {
    return here.stops(
      `the host does not forward IPv${family} from ${hostEnd.name}`,
      `sysctl -w net.ipv4.conf.${hostEnd.name}.forwarding=1`,
    );
  }
  if (route instanceof NetlinkError)
    return here.stops(`the host has no route to ${to} (${route.code})`, `ip route add ${to} via GATEWAY`);
  if (!returns) {
    return here.stops(
      `the answer does not find back: the host's route to ${formatIp(from)} leads ${elsewhere(wayBack)}`,
      hostRoute(from, hostEnd),
    );
  }
  return undefined;
}

/** The address that the host itself sends from to a destination. */
function sourceOf(host: View, to: string): IpAddress | undefined {
  const route = host.route({ to });
  return route instanceof NetlinkError ? undefined : parseIp(route.prefsrc ?? '');
}

function elsewhere(link: Link | undefined): string {
  return link === undefined ? 'nowhere' : `to ${link.name}`;
}

function hostRoute(from: IpAddress, hostEnd: Link): string {
  return `ip route replace ${formatIp(from)} dev ${hostEnd.name}${from.family === 6 ? ' metric 1' : ' scope link'}`;
}

function* forwarded(
  host: View,
  { from, hostEnd }: Departed,
  packet: Packet,
  route: Route,
  firewalls: readonly Firewall[],
): Generator<Hop, Forwarded | undefined> {
  const to = formatIp(packet.to);
  const out = host.link(route.ifindex);
  if (out === undefined) {
    yield here.stops(`the host's route to ${to} has no interface`, `ip route get ${to} tells more`);
    return undefined;
  }
  const via = route.gateway === undefined ? '' : ` via ${route.gateway}`;
  yield here.ok(`forwarded${via} dev ${out.name}`);
  if (isKeptApart(hostEnd.name, out.name, from, packet.to)) {
    yield here.stops(
      `ingressPolicy keeps ${hostEnd.name} and ${out.name} apart`,
      'make the containers anew in networks whose ingressPolicy is open, or on one network with same-bridge',
    );
    return undefined;
  }
  const concerned = firewalls.filter(({ families }) => families.includes(from.family));
  const certain = concerned.find(({ isCertain }) => isCertain);
  if (certain !== undefined) {
    yield here.stops(`${certain.name} drops it: ${certain.what}`, certain.remedy);
    return undefined;
  }
  for (const { name, what, remedy } of concerned) yield here.unsure(`${name} may drop it: ${what}`, remedy);
  if (!out.up) {
    yield here.stops(`${out.name} is down`, `ip link set ${out.name} up`);
    return undefined;
  }
  const isHairpin = out.index === hostEnd.index && listSourceNat().includes(hostEnd.name);
  const isOwn = isHairpin || isMasqueraded(hostEnd.name, from, packet.to);
  const seen = isOwn ? sourceOf(host, to) : undefined;
  yield here.ok(
    seen === undefined
      ? `it keeps its source ${formatIp(from)}, to which ${to} must have a route`
      : `masqueraded: ${to} sees ${formatIp(seen)}`,
  );
  const next = route.gateway ?? to;
  const neighbour = listNeighbours(host.conn, out.index).find(({ address }) => address === next);
  if (((neighbour?.state ?? 0) & NUD_FAILED) !== 0) {
    yield here.stops(
      `${next} does not answer on ${out.name}`,
      `see whether ${next} is there: ip neigh show dev ${out.name}`,
    );
    return undefined;
  }
  return { packet, out, from: seen ?? from };
}
