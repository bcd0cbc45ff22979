import { DEFAULT_RUN_DIR } from '../../src/cni/config.ts';
import { addressBits } from '../../src/ip/address.ts';
import { RT_TABLE_MAIN } from '../../src/netlink/abi/rtnetlink.ts';
import type { Connection } from '../../src/netlink/conn.ts';
import type { Link } from '../../src/netlink/message/link.ts';
import type { LinkCounters } from '../../src/netlink/message/link-counters.ts';
import type { Route } from '../../src/netlink/message/route.ts';
import { listLinkCounters } from '../../src/netlink/ops/link-counters.ts';
import { listLinks } from '../../src/netlink/ops/links.ts';
import { listRoutes } from '../../src/netlink/ops/routes.ts';
import { connect } from '../../src/netlink/socket.ts';
import { listGuarded } from '../../src/nftables/guard.ts';
import { listMasquerades } from '../../src/nftables/masquerade.ts';
import { type ListedPort, listPortMappings } from '../../src/nftables/port-mappings.ts';
import { listRates } from '../../src/shaping/rates.ts';
import type { AttachmentRecord } from '../../src/state/record.ts';
import { type AttachmentKey, hostEndsOfIfb, isIfb, isOwnIfb } from '../names.ts';
import { type DamagedRecord, type Found, readRecords, withLinks } from './found.ts';
import { type Lease, readLeases } from './leases.ts';
import { type NamespaceState, namespaceState } from './namespace-state.ts';
import { type Networks, plumbEntries, readNetworks } from './networks.ts';
import { compareIps, compareTexts } from './order.ts';

/** An attachment of this host: what is there of it, as its record and its links on the host tell. */
export interface Attachment extends AttachmentKey {
  /** The name of its host end, whether that is there or not. */
  readonly hostName: string;
  /** The host end, if it is there. */
  readonly hostEnd: Link | undefined;
  /** The ifb that limits what the container sends, if there is one. */
  readonly ifb: Link | undefined;
  /** Counters of the host end, which receives what the container sends. */
  readonly counters: LinkCounters | undefined;
  /** What ADD noted; undefined if that is lost. */
  readonly record: AttachmentRecord | undefined;
  /** Folder of records that it was found in. */
  readonly runDir: string | undefined;
  /** When the record was written, in milliseconds since 1970. */
  readonly addedAt: number | undefined;
  readonly namespace: NamespaceState;
  /** The container's addresses in CIDR notation: as recorded, else those that the host routes to it. */
  readonly addresses: readonly string[];
  /** Its leases that are in folders known here. */
  readonly leases: readonly Lease[];
  /** Whether the ruleset masquerades it. */
  readonly isMasqueraded: boolean;
  /** Whether the ruleset has a guard for it. */
  readonly isGuarded: boolean;
  /** Its port mappings in the ruleset. */
  readonly ports: readonly ListedPort[];
  /** Most that the container receives, in bits per second; undefined for no limit. */
  readonly ingressRate: number | undefined;
  /** Most that it sends. */
  readonly egressRate: number | undefined;
}

/** All that plumb has on this host. */
export interface Inventory {
  readonly networks: Networks;
  /** Folders of records: the default one, and those that configurations name. */
  readonly runDirs: readonly string[];
  /** In the order of network, container id, interface. */
  readonly attachments: readonly Attachment[];
  /** Leases that no attachment here has; other plugins may have made them. */
  readonly strayLeases: readonly Lease[];
  readonly damagedRecords: readonly DamagedRecord[];
  /** Names of host ends that are no more and that the ruleset has elements for. */
  readonly strayElements: readonly string[];
  /** Names of ifbs of plumb's that neither belong to one of the attachments nor to a host end. */
  readonly strayIfbs: readonly string[];
}

/** Looks at everything; changes nothing and takes no lock. Throws {@link SyscallError} and {@link NetlinkError}. */
export function takeInventory(confDir: string): Inventory {
  const networks = readNetworks(confDir);
  const runDirs = [...new Set([DEFAULT_RUN_DIR, ...plumbEntries(networks).map(({ runDir }) => runDir)])];
  // Before the links: whoever comes meanwhile has a link first, and elements then.
  const elements = { masqueraded: listMasquerades(), guarded: listGuarded(), ports: listPortMappings() };
  // Before the links, too: an ADD writes its record first.
  const { recorded, damaged } = readRecords(runDirs);
  const host = connect();
  try {
    const links = listLinks(host);
    const found = withLinks(recorded, links);
    const leases = readLeases(networks, found.values());
    const attachments = describe(host, found, leases, elements);
    const present = new Set(links.map(({ name }) => name));
    const held = new Set(attachments.flatMap((attachment) => attachment.leases));
    const named = [
      ...elements.masqueraded,
      ...elements.guarded,
      ...elements.ports.flatMap(({ owner }) => owner ?? []),
    ];
    const known = new Set(attachments.map(({ hostName }) => hostName));
    return {
      networks,
      runDirs,
      attachments: attachments.sort(byKey),
      strayLeases: leases.filter((lease) => !held.has(lease)),
      damagedRecords: damaged.filter(({ hostName }) => !known.has(hostName) && !present.has(hostName)),
      strayElements: [...new Set(named)].filter((name) => !present.has(name) && !known.has(name)).sort(),
      strayIfbs: strayIfbs(links, attachments),
    };
  } finally {
    host.close();
  }
}

function strayIfbs(links: readonly Link[], attachments: readonly Attachment[]): string[] {
  const names = new Set(links.map(({ name }) => name));
  const held = new Set(attachments.flatMap(({ ifb }) => ifb?.name ?? []));
  return links
    .filter((link) => isIfb(link.name) && isOwnIfb(link) && !held.has(link.name))
    .map(({ name }) => name)
    .filter((name) => !hostEndsOfIfb(name).some((end) => names.has(end)))
    .sort();
}

interface Elements {
  readonly masqueraded: readonly string[];
  readonly guarded: readonly string[];
  readonly ports: readonly ListedPort[];
}

function describe(
  host: Connection,
  found: ReadonlyMap<string, Found>,
  leases: readonly Lease[],
  elements: Elements,
): Attachment[] {
  const counters = listLinkCounters(host);
  const rates = listRates(host);
  const masqueraded = new Set(elements.masqueraded);
  const guarded = new Set(elements.guarded);
  const ports = Map.groupBy(elements.ports, ({ owner }) => owner);
  const leasesOf = Map.groupBy(leases, ({ network, owner }) => `${network} ${owner.containerId}`);
  const routes = [...found.values()].some(({ record }) => record === undefined)
    ? Map.groupBy(listRoutes(host), ({ ifindex }) => ifindex)
    : new Map<number | undefined, Route[]>();
  return [...found].map(([hostName, { key, record, runDir, addedAt, hostEnd, ifb }]): Attachment => {
    const own = leasesOf.get(`${key.network} ${key.containerId}`) ?? [];
    return {
      ...key,
      hostName,
      hostEnd,
      ifb,
      record,
      runDir,
      addedAt,
      counters: hostEnd === undefined ? undefined : counters.get(hostEnd.index),
      namespace: namespaceState(record, hostEnd),
      addresses: record?.ips ?? hostRoutes(routes.get(hostEnd?.index) ?? []),
      // Leases of old host-local versions name the container alone.
      leases: own.filter(({ owner }) => owner.ifname === key.ifname || owner.ifname === ''),
      isMasqueraded: masqueraded.has(hostName),
      isGuarded: guarded.has(hostName),
      ports: (ports.get(hostName) ?? []).sort(byPort),
      ingressRate: hostEnd === undefined ? undefined : rates.get(hostEnd.index),
      egressRate: ifb === undefined ? undefined : rates.get(ifb.index),
    };
  });
}

/** What the host routes to a link that is one address. */
function hostRoutes(routes: readonly Route[]): string[] {
  return routes
    .filter(
      ({ family, prefixLength, table }) => table === RT_TABLE_MAIN && prefixLength === addressBits(family),
    )
    .map(({ dst, prefixLength }) => `${dst}/${prefixLength}`);
}

// The kernel has them in the order of a hash.
function byPort({ port: a }: ListedPort, { port: b }: ListedPort): number {
  return (
    a.family - b.family ||
    a.hostPort - b.hostPort ||
    a.protocol - b.protocol ||
    compareIps(a.hostIp, b.hostIp)
  );
}

function byKey(a: AttachmentKey, b: AttachmentKey): number {
  return (
    compareTexts(a.network, b.network) ||
    compareTexts(a.containerId, b.containerId) ||
    compareTexts(a.ifname, b.ifname)
  );
}
