import { addressBits, formatIp, formatPrefix } from '../../../src/ip/address.ts';
import type { RouteSpec } from '../../../src/netlink/ops/routes.ts';
import { configuredRoute, gatewayRoutes, gatewaysOf, type PodAddress } from '../../layout.ts';
import { isHostRouteTo, isSameRoute } from '../../routes.ts';
import { containerEnd, type Patient } from './facts.ts';

// What each end of an attachment must have, what of it is missing, and the commands of ip(8) that put it back.

/** The routes that the container must have: to its gateways, and those that the network is configured to give. */
export function wantedRoutes({ pods, config }: Patient): RouteSpec[] {
  const given = config?.ipam?.routes ?? [];
  return [...gatewayRoutes(pods), ...given.map((route) => configuredRoute(route, pods))];
}

/** Those of the {@link wantedRoutes} that are missing or changed. */
export function missingRoutes(patient: Patient): RouteSpec[] {
  const link = containerEnd(patient);
  const routes = patient.inside?.routes.filter(({ ifindex }) => ifindex === link?.index) ?? [];
  return wantedRoutes(patient).filter((wanted) => !routes.some((route) => isSameRoute(route, wanted)));
}

/** The addresses that the container's end must have and has not. */
export function missingAddresses({ pods, inside }: Patient): PodAddress[] {
  const present = new Set(inside?.addresses.map((one) => `${one.address}/${one.prefixLength}`));
  return pods.filter(({ address }) => !present.has(formatPrefix(address)));
}

/** The gateways that the host end must have as addresses and has not. */
export function missingGateways({ pods, onHost }: Patient): string[] {
  const present = new Set(onHost.addresses.map(({ address }) => address));
  return gatewaysOf(pods)
    .map(formatIp)
    .filter((gateway) => !present.has(gateway));
}

/** The addresses of the container that the host has no route of their own for. */
export function missingHostRoutes({ pods, onHost }: Patient): PodAddress[] {
  return pods.filter(({ address }) => !onHost.routes.some((route) => isHostRouteTo(route, address)));
}

/** What to put before `ip`, for it to act in the container. */
export function inContainer({ attachment }: Patient): string {
  return `nsenter --net=${attachment.record?.netns.path ?? 'NETNS'} ip`;
}

/** The command that adds a route to the container. */
export function addRoute(patient: Patient, { dst, prefixLength, ...route }: RouteSpec): string {
  const words = [
    ...(route.gateway === undefined ? [] : ['via', route.gateway]),
    'dev',
    patient.attachment.ifname,
    ...(route.onlink === true ? ['onlink'] : []),
    ...(route.prefsrc === undefined ? [] : ['src', route.prefsrc]),
    ...(route.gateway === undefined && !dst.includes(':') ? ['scope', 'link'] : []),
    ...(route.table === undefined ? [] : ['table', String(route.table)]),
    ...(route.priority === undefined ? [] : ['metric', String(route.priority)]),
    ...(route.mtu === undefined ? [] : ['mtu', String(route.mtu)]),
    ...(route.advmss === undefined ? [] : ['advmss', String(route.advmss)]),
  ];
  return `${inContainer(patient)} route replace ${dst}/${prefixLength} ${words.join(' ')}`;
}

/** The command that adds an address to the container. */
export function addAddress(patient: Patient, { address }: PodAddress): string {
  const flags = address.address.family === 6 ? ' nodad noprefixroute' : ' noprefixroute';
  return `${inContainer(patient)} addr add ${formatPrefix(address)} dev ${patient.attachment.ifname}${flags}`;
}

/** The command that adds a gateway's address to the host end. */
export function addGateway({ attachment }: Patient, gateway: string): string {
  const suffix = gateway.includes(':') ? '/128 nodad' : '/32';
  const [bits, flags = ''] = suffix.split(' ');
  return `ip addr add ${gateway}${bits} dev ${attachment.hostName}${flags === '' ? '' : ` ${flags}`}`;
}

/** The command that leads a container's address to its host end. */
export function addHostRoute({ attachment }: Patient, { address }: PodAddress): string {
  const ip = `${formatIp(address.address)}/${addressBits(address.address.family)}`;
  return `ip route replace ${ip} dev ${attachment.hostName}${address.address.family === 6 ? ' metric 1' : ' scope link'}`;
}

/** The family of an address's text. */
export function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}
