import { type CniArgs, parseCniArgs } from '../src/cni/cni-args.ts';
import type { NetworkConfig } from '../src/cni/config.ts';
import type { Environment } from '../src/cni/environment.ts';
import { CniError } from '../src/cni/error.ts';
import type { Result } from '../src/cni/result.ts';
import { isErrno } from '../src/errors.ts';
import { addressBits, formatIp, formatPrefix } from '../src/ip/address.ts';
import { IFA_F_NODAD, IFA_F_NOPREFIXROUTE } from '../src/netlink/abi/if_addr.ts';
import { IN6_ADDR_GEN_MODE_NONE } from '../src/netlink/abi/if_link.ts';
import { RT_SCOPE_LINK } from '../src/netlink/abi/rtnetlink.ts';
import type { Connection, Request } from '../src/netlink/conn.ts';
import { addressRequest } from '../src/netlink/ops/addresses.ts';
import { createVethHere, findLink, findLinkIndex, setLinkRequest } from '../src/netlink/ops/links.ts';
import { routeRequest } from '../src/netlink/ops/routes.ts';
import { connect } from '../src/netlink/socket.ts';
import { type AttachmentRecord, openRecords } from '../src/state/record.ts';
import { FEATURES } from './features/all.ts';
import type { End } from './features/feature.ts';
import { recordedGuard } from './features/guard.ts';
import { mappingsOf, recordedPorts } from './features/ports.ts';
import { enableForwarding } from './forwarding.ts';
import { linkInTheWay } from './in-the-way.ts';
import type { Assignment, Ipam } from './ipam/ipam.ts';
import { settleIpv6, usesIpv6 } from './ipv6.ts';
import {
  configuredRoute,
  DEFAULT_MTU,
  gatewayRoutes,
  gatewaysOf,
  linkLocalAddress,
  type PodAddress,
} from './layout.ts';
import { liveAttachments } from './live.ts';
import {
  type AttachmentKey,
  hostInterfaceAlias,
  hostInterfaceName,
  isHostEndOf,
  macAddresses,
} from './names.ts';
import { isOccupied } from './occupied.ts';
import { Others } from './others.ts';
import { type Sandbox, withSandbox } from './sandbox.ts';
import { stepDone } from './steps.ts';
import { deleteHostLinks } from './teardown.ts';
import { Undo } from './undo.ts';

/** What {@link add} hands to the process: the result, and how to take everything back if it cannot be delivered. */
export interface Added {
  readonly result: Result;
  readonly undo: Undo;
}

/** ADD: a veth pair between host and container, addresses, routes. Whatever fails, nothing is left. */
export function add(env: Environment, config: NetworkConfig, ipam: Ipam): Added {
  const args = parseCniArgs(env.args);
  return withSandbox(env.netns, (sandbox) => {
    const undo = new Undo();
    try {
      const own = attach(env, config, ipam, args, sandbox, undo);
      return { result: config.prevResult === undefined ? own : chain(config.prevResult, own), undo };
    } catch (error) {
      const failures = undo.run();
      if (failures.length > 0 && error instanceof Error)
        error.message += ` (undoing: ${failures.join('; ')})`;
      throw error;
    }
  });
}

function attach(
  env: Environment,
  config: NetworkConfig,
  ipam: Ipam,
  args: CniArgs,
  { netnsFd, ...netns }: Sandbox,
  undo: Undo,
): Result {
  const key: AttachmentKey = { network: config.name, containerId: env.containerId, ifname: env.ifname };
  const hostName = hostInterfaceName(key);
  const records = openRecords(config.runDir, config.name);
  const host = connect();
  const inside = connect({ netnsFd });
  try {
    if (findLinkIndex(host, hostName) !== undefined) throw nameTaken(host, hostName, key);
    const assignment = ipam.add({
      key,
      args,
      undo,
      inUse: (ip) => isOccupied(host, ip),
      // Where there are no records yet, this may be the first ADD since the machine was started.
      ...(records.exists() ? {} : { isLive: liveAttachments(host, records, config.name) }),
    });
    stepDone('lease');
    const { pods, routes, dns } = assignment;
    const addresses = pods.map(({ address }) => address);
    const mappings = mappingsOf(config, pods);
    const macs = macAddresses(key);
    const mac = config.mac ?? args.mac ?? macs.container;
    const guard = recordedGuard(config, mac);
    const record: AttachmentRecord = {
      version: 1,
      ...key,
      netns: { path: env.netns, ...netns },
      ips: addresses.map(formatPrefix),
      ...(ipam.dataDir === undefined ? {} : { dataDir: ipam.dataDir }),
      ipMasq: config.ipMasq,
      ...(mappings.length === 0
        ? {}
        : {
            ports: recordedPorts(mappings),
            sourceNat: { snat: config.snat, masqAll: config.masqAll },
          }),
      ...(config.bandwidth?.egress === undefined ? {} : { ifb: true }),
      ...(guard === undefined ? {} : { guard }),
      ...(config.firewall === undefined ? {} : { markAcceptBit: config.firewall.markBit }),
    };
    let written = '';
    undo.register(() => records.takeBack(hostName, written));
    written = records.write(hostName, record);
    stepDone('record');
    const mtu = config.mtu ?? DEFAULT_MTU;
    let created = true;
    let ends: { readonly index: number; readonly peerIndex: number };
    undo.register(() => created && deleteHostLinks(key, record));
    try {
      ends = createVethHere(
        host,
        { name: hostName, mac: macs.host, mtu },
        { name: env.ifname, netnsFd, mac, mtu },
      );
    } catch (error) {
      // A link that stood in the way is somebody else's, and must not be undone.
      created = !isErrno(error, 'EEXIST');
      if (created) throw error;
      if (findLinkIndex(host, hostName) !== undefined) throw nameTaken(host, hostName, key);
      throw new CniError(
        100,
        `${env.netns} has an interface ${env.ifname} already, which is somebody else's`,
      );
    }
    const hostEnd: End = { ifindex: ends.index, name: hostName, mac: macs.host };
    const containerEnd: End = { ifindex: ends.peerIndex, name: env.ifname, mac };
    stepDone('links');
    settleIpv6(hostName, containerEnd.name, netnsFd, pods);
    configureContainer(inside, containerEnd, assignment);
    stepDone('container');
    configureHost(host, hostEnd, hostInterfaceAlias(key), pods);
    stepDone('host');
    const others = new Others(config.runDir, host, hostName);
    const attached = { key, config, pods, netnsFd, host, inside, hostEnd, containerEnd, others };
    for (const feature of FEATURES) {
      feature.add(attached, undo);
      stepDone(feature.name);
    }
    // Who has taken one table away will hardly have spared the others.
    if (others.wanted) for (const feature of FEATURES) feature.restore?.(others.list());
    return {
      interfaces: [
        { name: hostName, mac: macs.host, mtu },
        { name: env.ifname, mac, mtu, sandbox: env.netns },
        ...FEATURES.flatMap((feature) => feature.interfaces?.(attached) ?? []),
      ],
      ips: pods.map(({ address, gateway }) => ({
        address: formatPrefix(address),
        ...(gateway === undefined ? {} : { gateway: formatIp(gateway) }),
        interface: 1,
      })),
      routes: [...routes],
      dns: config.dns ?? dns,
    };
  } finally {
    inside.close();
    host.close();
  }
}

function nameTaken(host: Connection, hostName: string, key: AttachmentKey): CniError {
  const link = findLink(host, hostName);
  if (link === undefined || isHostEndOf(link, key)) {
    const { network, containerId, ifname } = key;
    return new CniError(
      100,
      `${containerId} has an interface ${ifname} on network ${network} already (${hostName})`,
    );
  }
  return linkInTheWay(link);
}

function flagsFor(family: 4 | 6): number {
  // No duplicate can be on a link with two ends that we both own, and detection would delay the pod by a second.
  return family === 6 ? IFA_F_NODAD | IFA_F_NOPREFIXROUTE : IFA_F_NOPREFIXROUTE;
}

/**
 * Brings an end up. With IPv6 its link-local address is given rather than left to the kernel, whose own stays
 * tentative for a second: as long as it is, the host asks no neighbour and forwards nothing to the container.
 */
function upRequests(end: End, pods: readonly PodAddress[]): Request[] {
  const up = setLinkRequest(end.ifindex, { up: true });
  if (!usesIpv6(pods)) return [up];
  const linkLocal = {
    ifindex: end.ifindex,
    address: linkLocalAddress(end.mac),
    prefixLength: 64,
    scope: RT_SCOPE_LINK,
  };
  return [
    setLinkRequest(end.ifindex, { addrGenMode: IN6_ADDR_GEN_MODE_NONE }),
    up,
    addressRequest({ ...linkLocal, flags: IFA_F_NODAD }, end.name),
  ];
}

function configureContainer(inside: Connection, end: End, { pods, routes }: Assignment): void {
  const { ifindex, name } = end;
  inside.batchAll([
    ...upRequests(end, pods),
    ...pods.map(({ address }) =>
      addressRequest(
        {
          ifindex,
          address: formatIp(address.address),
          prefixLength: address.prefixLength,
          flags: flagsFor(address.address.family),
        },
        name,
      ),
    ),
    ...gatewayRoutes(pods).map((route) => routeRequest({ ...route, ifindex }, name, 'append')),
    ...routes.map((route) => routeRequest({ ...configuredRoute(route, pods), ifindex }, name)),
  ]);
}

function configureHost(host: Connection, end: End, alias: string, pods: readonly PodAddress[]): void {
  const { ifindex, name } = end;
  host.batchAll([
    setLinkRequest(ifindex, { alias }),
    ...upRequests(end, pods),
    ...gatewaysOf(pods).map((gateway) => {
      const prefixLength = addressBits(gateway.family);
      const flags = flagsFor(gateway.family);
      return addressRequest({ ifindex, address: formatIp(gateway), prefixLength, flags }, name);
    }),
    ...pods.map(({ address }) => {
      const { family } = address.address;
      const spec = {
        dst: formatIp(address.address),
        prefixLength: addressBits(family),
        ifindex,
        scope: RT_SCOPE_LINK,
        // Ours counts, whatever an earlier life has left there; in IPv4 that is so without it.
        ...(family === 6 ? { priority: 1 } : {}),
      };
      return routeRequest(spec, name, 'replace');
    }),
  ]);
  const families = new Set(pods.map(({ address }) => address.address.family));
  for (const family of families) enableForwarding(host, name, family);
}

/** As a chained plugin: what the plugins before have done stays in the result, and ours comes behind it. */
function chain(previous: Result, own: Result): Result {
  const offset = previous.interfaces.length;
  return {
    interfaces: [...previous.interfaces, ...own.interfaces],
    ips: [
      ...previous.ips,
      ...own.ips.map((ip) => (ip.interface === undefined ? ip : { ...ip, interface: ip.interface + offset })),
    ],
    routes: [...previous.routes, ...own.routes],
    dns: Object.keys(own.dns).length > 0 ? own.dns : previous.dns,
  };
}
