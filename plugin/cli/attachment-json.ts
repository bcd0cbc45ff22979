import { formatIp } from '../../src/ip/address.ts';
import type { ListedPort } from '../../src/nftables/port-mappings.ts';
import { protocolName } from '../../src/nftables/port-mappings.ts';
import type { Attachment } from './inventory.ts';
import type { NamespaceState } from './namespace-state.ts';

/** An attachment as `--json` prints it: docs/cli.md has the keys, which stay. What is not there or not known is null. */
export interface AttachmentJson {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
  readonly netns: { readonly path: string | null; readonly state: NamespaceState };
  readonly addresses: readonly string[];
  readonly hostInterface: string;
  readonly hostLink: {
    readonly ifindex: number;
    readonly mac: string | null;
    readonly mtu: number;
    readonly up: boolean;
  } | null;
  readonly ports: readonly PortJson[];
  readonly ingressRate: number | null;
  readonly egressRate: number | null;
  readonly ipMasq: boolean;
  readonly antiSpoofing: boolean;
  readonly ingressPolicy: string;
  readonly notInForce: readonly string[];
  readonly addedAt: string | null;
  readonly received: TrafficJson | null;
  readonly sent: TrafficJson | null;
  readonly leases: readonly string[];
  readonly record: string | null;
}

/** A port of the host that leads to the container. */
export interface PortJson {
  readonly protocol: string;
  readonly hostIp: string | null;
  readonly hostPort: number;
  readonly address: string | null;
  readonly containerPort: number | null;
}

/** What has passed in one direction. */
export interface TrafficJson {
  readonly bytes: number;
  readonly packets: number;
  readonly errors: number;
  readonly dropped: number;
}

/** See {@link AttachmentJson}. */
export function attachmentJson(it: Attachment): AttachmentJson {
  const { network, containerId, ifname, record, hostEnd, counters } = it;
  return {
    network,
    containerId,
    ifname,
    netns: { path: record?.netns.path ?? null, state: it.namespace },
    addresses: it.addresses,
    hostInterface: it.hostName,
    hostLink:
      hostEnd === undefined
        ? null
        : { ifindex: hostEnd.index, mac: hostEnd.mac ?? null, mtu: hostEnd.mtu, up: hostEnd.up },
    ports: it.ports.map(portJson),
    ingressRate: it.ingressRate ?? null,
    egressRate: it.egressRate ?? null,
    ipMasq: record?.ipMasq ?? it.isMasqueraded,
    antiSpoofing: record?.guard?.mac !== undefined,
    ingressPolicy: record?.guard?.ingressPolicy ?? 'open',
    notInForce: notInForce(it),
    addedAt: it.addedAt === undefined ? null : new Date(it.addedAt).toISOString(),
    // The host end receives what the container sends.
    received:
      counters === undefined
        ? null
        : {
            bytes: counters.txBytes,
            packets: counters.txPackets,
            errors: counters.txErrors,
            dropped: counters.txDropped,
          },
    sent:
      counters === undefined
        ? null
        : {
            bytes: counters.rxBytes,
            packets: counters.rxPackets,
            errors: counters.rxErrors,
            dropped: counters.rxDropped,
          },
    leases: it.leases.map(({ dataDir, network: name, address }) => `${dataDir}/${name}/${address}`),
    record: it.runDir === undefined ? null : `${it.runDir}/${network}/${it.hostName}.json`,
  };
}

function portJson({ port, target }: ListedPort): PortJson {
  return {
    protocol: protocolName(port.protocol),
    hostIp: port.hostIp === undefined ? null : formatIp(port.hostIp),
    hostPort: port.hostPort,
    address: target === undefined ? null : formatIp(target.address),
    containerPort: target?.port ?? null,
  };
}

/** What ADD has set up, as its record says, and is not there any more: keys of this object, and `hostLink`. */
function notInForce({ record, hostEnd, ifb, ports, ...it }: Attachment): string[] {
  const faults: string[] = [];
  if (hostEnd === undefined) faults.push('hostLink');
  if (record?.ipMasq === true && !it.isMasqueraded) faults.push('ipMasq');
  if (record?.guard !== undefined && !it.isGuarded) {
    if (record.guard.mac !== undefined) faults.push('antiSpoofing');
    if (record.guard.ingressPolicy !== undefined) faults.push('ingressPolicy');
  }
  if ((record?.ports?.length ?? 0) > ports.length) faults.push('ports');
  if (record?.ifb === true && ifb === undefined) faults.push('egressRate');
  return faults;
}
