import { type NetworkConfig, parseNetworkConfig } from '../../../src/cni/config.ts';
import { ConfigError, errorMessage, isErrno } from '../../../src/errors.ts';
import {
  contains,
  formatIp,
  type IpAddress,
  type IpPrefix,
  parseIp,
  parsePrefix,
} from '../../../src/ip/address.ts';
import { RT_SCOPE_LINK } from '../../../src/netlink/abi/rtnetlink.ts';
import type { Connection } from '../../../src/netlink/conn.ts';
import type { InterfaceAddress } from '../../../src/netlink/message/address.ts';
import type { Route } from '../../../src/netlink/message/route.ts';
import { listAddresses } from '../../../src/netlink/ops/addresses.ts';
import { listLinks } from '../../../src/netlink/ops/links.ts';
import { findRouteTo, listRoutes } from '../../../src/netlink/ops/routes.ts';
import { connect } from '../../../src/netlink/socket.ts';
import { hasMasqueradeRules } from '../../../src/nftables/masquerade.ts';
import { hasPortMappingRules, listPortMappings, listSourceNat } from '../../../src/nftables/port-mappings.ts';
import { assertWritableFolder } from '../../../src/sys/fs.ts';
import { getSysctl } from '../../../src/sys/sysctl.ts';
import { isForwarding, isForwardingFrom } from '../../forwarding.ts';
import type { PodAddress } from '../../layout.ts';
import { otherFirewalls } from '../foreign-firewalls.ts';
import { type Attachment, takeInventory } from '../inventory.ts';
import { isPlumb } from '../network-list.ts';
import { type Networks, plumbEntries } from '../networks.ts';
import { withNetnsAt } from '../open-netns.ts';
import { isStrict } from '../rp-filter.ts';
import { selectAttachments } from '../select.ts';
import type { ConfiguredNetwork, Facts, Namespace, Patient, Switches } from './facts.ts';

/**
 * Looks at the host, and into the namespaces of its containers, or of the one container that `id` means. Changes nothing.
 * Throws {@link SyscallError}, {@link NetlinkError}, {@link NotFoundError} for an id that means none.
 */
export function gather(confDir: string, id: string | undefined): Facts {
  const inventory = takeInventory(confDir);
  const networks = configured(inventory.networks);
  const chosen = id === undefined ? inventory.attachments : selectAttachments(inventory.attachments, id);
  const conn = connect();
  try {
    const host = look(conn);
    return {
      inventory,
      networks,
      host,
      patients: examine(conn, host, networks, chosen),
      isForwarding: { 4: isForwarding(4), 6: isForwarding(6) },
      hasMasqueradeRules: hasMasqueradeRules(),
      hasPortMappingRules: hasPortMappingRules(),
      ports: listPortMappings(),
      sourceNat: new Set(listSourceNat()),
      firewalls: otherFirewalls(),
      folders: folders(inventory.networks, chosen),
    };
  } finally {
    conn.close();
  }
}

function look(conn: Connection): Namespace {
  return { links: listLinks(conn), addresses: listAddresses(conn), routes: listRoutes(conn) };
}

function configured({ lists }: Networks): ConfiguredNetwork[] {
  return lists.flatMap(({ path, name, cniVersion, plugins }) =>
    plugins.filter(isPlumb).map(({ entry }) => ({
      path,
      name,
      config: interpret(JSON.stringify({ ...entry, cniVersion, name })),
    })),
  );
}

function interpret(text: string): ConfiguredNetwork['config'] {
  try {
    return parseNetworkConfig(text, 'ADD');
  } catch (error) {
    return { fault: errorMessage(error) };
  }
}

function examine(
  conn: Connection,
  host: Namespace,
  networks: readonly ConfiguredNetwork[],
  attachments: readonly Attachment[],
): Patient[] {
  const configs = new Map<string, NetworkConfig>();
  for (const { name, config } of networks) {
    if (!('fault' in config) && !configs.has(name)) configs.set(name, config);
  }
  const links = new Map(host.links.map((link) => [link.name, link]));
  const addresses = Map.groupBy(host.addresses, ({ ifindex }) => ifindex);
  const routes = Map.groupBy(host.routes, ({ ifindex }) => ifindex);
  return attachments.map((attachment): Patient => {
    const { hostEnd, hostName, namespace, record } = attachment;
    const config = configs.get(attachment.network);
    const index = hostEnd?.index ?? 0;
    const onHost = { addresses: addresses.get(index) ?? [], routes: routes.get(index) ?? [] };
    const prefixes = attachment.addresses.flatMap((cidr) => parsePrefix(cidr) ?? []);
    const inside = namespace === 'alive' && record !== undefined ? lookInto(record.netns.path) : undefined;
    return {
      attachment,
      config,
      onHost,
      pods: prefixes.map((address): PodAddress => {
        const gateway = gatewayOf(config, address) ?? gatewayOn(onHost.addresses, address);
        return { address, gateway };
      }),
      inside,
      impostor: hostEnd === undefined ? links.get(hostName) : undefined,
      best: new Map<string, Route | undefined>(
        prefixes.map(({ address }) => [formatIp(address), findRouteTo(conn, formatIp(address))]),
      ),
      switches: hostEnd === undefined ? undefined : switchesOf(hostName),
    };
  });
}

function lookInto(path: string): Namespace | undefined {
  try {
    return withNetnsAt(path, (netnsFd) => {
      const conn = connect({ netnsFd });
      try {
        return look(conn);
      } finally {
        conn.close();
      }
    });
  } catch (error) {
    // It has gone meanwhile.
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

/** The gateway that the configuration gives to an address. */
function gatewayOf(config: NetworkConfig | undefined, { address }: IpPrefix): IpAddress | undefined {
  const range = config?.ipam?.ranges.flat().find(({ subnet }) => contains(subnet, address));
  if (range !== undefined) return range.gateway;
  const given = config?.ipam?.addresses?.find((one) => one.address.split('/')[0] === formatIp(address));
  return given?.gateway === undefined ? undefined : parseIp(given.gateway);
}

/** The address of the host end that is the gateway of an address; undefined if it has none of that subnet. */
function gatewayOn(addresses: readonly InterfaceAddress[], pod: IpPrefix): IpAddress | undefined {
  return addresses
    .filter(({ scope }) => scope < RT_SCOPE_LINK)
    .flatMap(({ address }) => parseIp(address) ?? [])
    .find((address) => contains(pod, address));
}

function switchesOf(hostName: string): Switches | undefined {
  try {
    return {
      forwarding: isForwardingFrom(hostName, 4),
      strict: isStrict(hostName),
      routeLocalnet: ['all', hostName].some(
        (link) => getSysctl(`net/ipv4/conf/${link}/route_localnet`) === '1',
      ),
    };
  } catch (error) {
    // The link has gone meanwhile.
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function folders(networks: Networks, attachments: readonly Attachment[]): Map<string, string | undefined> {
  const paths = new Set([
    ...plumbEntries(networks).flatMap(({ runDir, dataDir }) => [runDir, dataDir ?? runDir]),
    ...attachments.flatMap(({ runDir, record }) => [runDir ?? [], record?.dataDir ?? []].flat()),
  ]);
  return new Map(
    [...paths].map((path) => {
      try {
        assertWritableFolder(path);
        return [path, undefined];
      } catch (error) {
        return [path, errorMessage(error)];
      }
    }),
  );
}
