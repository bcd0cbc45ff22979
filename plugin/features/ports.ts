import type { NetworkConfig } from '../../src/cni/config.ts';
import { CniError } from '../../src/cni/error.ts';
import { formatIp, type IpAddress, parseIp, parsePrefix } from '../../src/ip/address.ts';
import { NETLINK_NETFILTER } from '../../src/netlink/abi/netlink.ts';
import { flushUdpPort } from '../../src/netlink/ops/conntrack.ts';
import { findLink } from '../../src/netlink/ops/links.ts';
import { connect } from '../../src/netlink/socket.ts';
import {
  addPortMappings,
  describePort,
  listPortMappings,
  type Mapped,
  type MappedPort,
  missingPortMappings,
  type PortMapping,
  portOf,
  removePortMappings,
  restorePortMappings,
} from '../../src/nftables/port-mappings.ts';
import type { RecordedPort } from '../../src/state/record.ts';
import { getSysctl, setSysctl } from '../../src/sys/sysctl.ts';
import type { PodAddress } from '../layout.ts';
import { type AttachmentKey, attachmentOfAlias } from '../names.ts';
import type { Recorded } from '../others.ts';
import type { Attached, Feature } from './feature.ts';

const UDP = 17;

/** The mappings that a configuration asks for, as far as the container has an address of their family. */
export function mappingsOf(config: NetworkConfig, pods: readonly PodAddress[]): PortMapping[] {
  return config.portMappings.flatMap(({ hostPort, containerPort, protocol, hostIp }) =>
    ([4, 6] as const).flatMap((family): PortMapping[] => {
      const pod = pods.find(({ address }) => address.address.family === family)?.address.address;
      if (pod === undefined || (hostIp !== undefined && hostIp.family !== family)) return [];
      const bound = hostIp === undefined || hostIp.value === 0n ? {} : { hostIp };
      return [{ hostPort, protocol, address: pod, port: containerPort, ...bound }];
    }),
  );
}

/** What the record of an attachment has to say about its mappings. */
export function recordedPorts(mappings: readonly PortMapping[]): RecordedPort[] {
  return mappings.map(({ hostPort, protocol, hostIp, address, port }) => ({
    family: address.family,
    protocol,
    hostPort,
    ...(hostIp === undefined ? {} : { hostIp: formatIp(hostIp) }),
    containerPort: port,
  }));
}

function portsOf(recorded: readonly RecordedPort[]): MappedPort[] {
  return recorded.map(({ family, protocol, hostPort, hostIp }) => {
    const address: IpAddress | undefined = hostIp === undefined ? undefined : parseIp(hostIp);
    return { family, protocol, hostPort, ...(address === undefined ? {} : { hostIp: address }) };
  });
}

/** `runtimeConfig.portMappings`: ports of the host that lead to the container. */
export const ports: Feature = {
  name: 'ports',
  add(it, undo) {
    const { key, config, hostEnd } = it;
    const mappings = mappingsOf(config, it.pods);
    if (mappings.length === 0) return;
    const sources = { snat: config.snat, masqAll: config.masqAll };
    // What comes from 127.0.0.1 leaves by this link, and by no other.
    if (needsRouteLocalnet(it, mappings)) setSysctl(routeLocalnet(hostEnd.name), '1');
    undo.register(() => removePortMappings(hostEnd.name, mappings.map(portOf)));
    let back: readonly Mapped[] = [];
    const conflict = addPortMappings(
      { hostName: hostEnd.name, label: label(key), mappings, nat: sources },
      (owner) => isGone(it, owner),
      () => {
        back = mappedOf(it.others.list());
        return back;
      },
    );
    forgetFlows(portsOfAll(back));
    if (conflict !== undefined) {
      const { mapping, owner } = conflict;
      const where = mapping.hostIp === undefined ? '' : ` on ${formatIp(mapping.hostIp)}`;
      throw new CniError(
        105,
        `host port ${describePort(mapping)}${where} is mapped to ${describeOwner(it, owner)} already`,
      );
    }
    forgetFlows(mappings.map(portOf));
  },
  check(it) {
    const mappings = mappingsOf(it.config, it.pods);
    const faults = missingPortMappings(it.hostEnd.name, mappings).map(
      (mapping) => `mapping of host port ${describePort(mapping)} to ${formatIp(mapping.address)} is missing`,
    );
    const sysctl = routeLocalnet(it.hostEnd.name);
    return needsRouteLocalnet(it, mappings) && getSysctl(sysctl) !== '1'
      ? [...faults, `${sysctl} is not 1`]
      : faults;
  },
  remove({ hostName, record, later }) {
    if (record !== undefined && record.ports === undefined) return;
    const known = record?.ports === undefined ? undefined : portsOf(record.ports);
    forgetFlows(removePortMappings(hostName, known, later));
  },
  restore(recorded) {
    const all = mappedOf(recorded);
    if (restorePortMappings(all)) forgetFlows(portsOfAll(all));
  },
  survey() {
    const all = listPortMappings();
    return (present) => {
      const owners = new Set(all.flatMap(({ owner }) => owner ?? []));
      for (const owner of owners) {
        if (!present.has(owner)) forgetFlows(removePortMappings(owner, undefined));
      }
    };
  },
};

/** What records tell of mappings; those of older versions do not tell enough. */
function mappedOf(recorded: readonly Recorded[]): Mapped[] {
  return recorded.flatMap(({ hostName, record }): Mapped[] => {
    const { ports: noted = [], sourceNat: nat } = record;
    const mappings = portsOf(noted).flatMap((mapped, i): PortMapping[] => {
      const address = record.ips
        .flatMap((ip) => parsePrefix(ip)?.address ?? [])
        .find(({ family }) => family === mapped.family);
      const port = noted[i]?.containerPort;
      return address === undefined || port === undefined ? [] : [{ ...mapped, address, port }];
    });
    return nat === undefined || mappings.length === 0
      ? []
      : [{ hostName, label: label(record), mappings, nat }];
  });
}

function portsOfAll(all: readonly Mapped[]): MappedPort[] {
  return all.flatMap(({ mappings }) => mappings.map(portOf));
}

function label({ network, containerId, ifname }: AttachmentKey): string {
  return `${network} ${ifname} ${containerId}`.slice(0, 230);
}

function routeLocalnet(hostName: string): string {
  return `net/ipv4/conf/${hostName}/route_localnet`;
}

function needsRouteLocalnet({ config }: Attached, mappings: readonly PortMapping[]): boolean {
  return config.snat && mappings.some(({ address }) => address.family === 4);
}

/** Whether nobody can want a mapping any more: its owner's host end is gone, or it is a left-over of our own. */
function isGone({ host, hostEnd }: Attached, owner: string | undefined): boolean {
  if (owner === undefined) return false;
  return owner === hostEnd.name || findLink(host, owner) === undefined;
}

function describeOwner({ host }: Attached, owner: string | undefined): string {
  if (owner === undefined) return 'somebody who is not known here';
  const key = attachmentOfAlias(findLink(host, owner)?.alias);
  return key === undefined ? owner : `container ${key.containerId} ${key.ifname} of network ${key.network}`;
}

// Who sends UDP without a pause would be led for ever to where the port led before.
function forgetFlows(changed: readonly MappedPort[]): void {
  const flows = changed.filter(({ protocol }) => protocol === UDP);
  if (flows.length === 0) return;
  const conn = connect({ protocol: NETLINK_NETFILTER });
  try {
    for (const { family, hostPort } of flows) flushUdpPort(conn, family, hostPort);
  } finally {
    conn.close();
  }
}
