import type { Route as ConfiguredRoute, NetworkConfig } from '../src/cni/config.ts';
import type { Environment } from '../src/cni/environment.ts';
import { CniError } from '../src/cni/error.ts';
import type { Result, ResultInterface } from '../src/cni/result.ts';
import { formatIp, formatPrefix, type IpAddress, parseIp, parsePrefix } from '../src/ip/address.ts';
import { RT_TABLE_MAIN } from '../src/netlink/abi/rtnetlink.ts';
import type { Connection } from '../src/netlink/conn.ts';
import type { Link } from '../src/netlink/message/link.ts';
import { listAddresses } from '../src/netlink/ops/addresses.ts';
import { findLink } from '../src/netlink/ops/links.ts';
import { findRouteTo, listRoutes } from '../src/netlink/ops/routes.ts';
import { connect } from '../src/netlink/socket.ts';
import { openRecords } from '../src/state/record.ts';
import { FEATURES } from './features/all.ts';
import type { Attached } from './features/feature.ts';
import { isForwarding, isForwardingFrom } from './forwarding.ts';
import type { Ipam } from './ipam/ipam.ts';
import { configuredRoute, gatewayRoutes, type PodAddress } from './layout.ts';
import { type AttachmentKey, hostInterfaceName, isIfb } from './names.ts';
import { isHostRouteTo, isSameRoute } from './routes.ts';
import { withSandbox } from './sandbox.ts';

/** CHECK: throws {@link CniError} 102 that names each single thing that is not as ADD left it. */
export function check(env: Environment, config: NetworkConfig, ipam: Ipam): void {
  if (config.prevResult === undefined)
    throw new CniError(7, 'prevResult: missing, CHECK needs the result of ADD');
  const result = config.prevResult;
  const key = { network: config.name, containerId: env.containerId, ifname: env.ifname };
  const faults = withSandbox(env.netns, ({ netnsFd, dev, ino }) => {
    const host = connect();
    const inside = connect({ netnsFd });
    try {
      const record = openRecords(config.runDir, config.name).read(hostInterfaceName(key));
      if (record !== undefined && (record.netns.dev !== dev || record.netns.ino !== ino)) {
        return [`${env.netns} is not the namespace that ADD configured`];
      }
      const mine = result.interfaces.findIndex((i) => i.name === env.ifname && i.sandbox === env.netns);
      if (mine < 0) return [`prevResult has no interface ${env.ifname} in ${env.netns}`];
      const link = findLink(inside, env.ifname);
      if (link === undefined) return [`interface ${env.ifname} is missing in the container`];
      const found = linkFaults(link, result.interfaces[mine], 'in the container');
      const pods = result.ips
        .filter((ip) => ip.interface === undefined || ip.interface === mine)
        .flatMap((ip): PodAddress[] => {
          const address = parsePrefix(ip.address);
          const gateway = ip.gateway === undefined ? undefined : parseIp(ip.gateway);
          return address === undefined ? [] : [{ address, gateway }];
        });
      const present = new Set(listAddresses(inside, link.index).map((a) => `${a.address}/${a.prefixLength}`));
      for (const { address } of pods) {
        if (!present.has(formatPrefix(address)))
          found.push(`address ${formatPrefix(address)} is missing on ${env.ifname}`);
      }
      const routes = listRoutes(inside, { ifindex: link.index });
      for (const route of ipam.routes ?? routesOnlyOurs(result)) {
        const wanted = configuredRoute(route, pods);
        if (!routes.some((r) => isSameRoute(r, wanted)))
          found.push(`route ${route.dst} is missing or changed on ${env.ifname}`);
      }
      for (const wanted of gatewayRoutes(pods)) {
        if (!routes.some((r) => isSameRoute(r, wanted)))
          found.push(`route ${wanted.dst}/${wanted.prefixLength} is missing or changed on ${env.ifname}`);
      }
      const hostName = hostInterfaceName(key);
      const hostLink = findLink(host, hostName);
      if (hostLink === undefined) return [...found, `host interface ${hostName} is missing`];
      found.push(
        ...linkFaults(
          hostLink,
          result.interfaces.find((i) => i.name === hostName),
          'on the host',
        ),
      );
      if (hostLink.peerIndex !== link.index || link.peerIndex !== hostLink.index) {
        found.push(`${hostName} is not the other end of ${env.ifname}`);
      }
      found.push(...hostFaults(host, hostLink, pods));
      const attached: Attached = {
        key,
        config,
        pods,
        netnsFd,
        host,
        inside,
        hostEnd: { ifindex: hostLink.index, name: hostName, mac: hostLink.mac ?? '' },
        containerEnd: { ifindex: link.index, name: env.ifname, mac: link.mac ?? '' },
      };
      for (const feature of FEATURES) found.push(...feature.check(attached));
      return [
        ...found,
        ...ipamFaults(
          ipam,
          key,
          pods.map(({ address }) => address.address),
          found,
        ),
      ];
    } finally {
      inside.close();
      host.close();
    }
  });
  if (faults.length > 0) throw new CniError(102, `network ${config.name}: ${faults.join('; ')}`);
}

function hostFaults(host: Connection, { index, name }: Link, pods: readonly PodAddress[]): string[] {
  const faults: string[] = [];
  const routes = listRoutes(host, { ifindex: index });
  const addresses = new Set(listAddresses(host, index).map(({ address }) => address));
  for (const { address, gateway } of pods) {
    const ip = formatIp(address.address);
    if (!routes.some((route) => isHostRouteTo(route, address))) {
      faults.push(`host route to ${ip} dev ${name} is missing`);
    } else {
      const best = findRouteTo(host, ip);
      // What rules send elsewhere through other tables is the administrator's business; none is what `unreachable` does.
      if (best === undefined || (best.table === RT_TABLE_MAIN && best.ifindex !== index))
        faults.push(`host route to ${ip} dev ${name} is overruled by another route`);
    }
    if (gateway !== undefined && !addresses.has(formatIp(gateway)))
      faults.push(`gateway address ${formatIp(gateway)} is missing on ${name}`);
  }
  for (const family of new Set(pods.map(({ address }) => address.address.family))) {
    if (!isForwarding(family)) faults.push(`IPv${family} forwarding is off on the host`);
    else if (!isForwardingFrom(name, family)) faults.push(`IPv${family} forwarding is off for ${name}`);
  }
  return faults;
}

function linkFaults(link: Link, wanted: ResultInterface | undefined, where: string): string[] {
  const faults: string[] = [];
  if (!link.up) faults.push(`interface ${link.name} ${where} is down`);
  if (wanted?.mac !== undefined && wanted.mac.toLowerCase() !== link.mac) {
    faults.push(`interface ${link.name} ${where} has MAC ${link.mac}, not ${wanted.mac}`);
  }
  if (wanted?.mtu !== undefined && wanted.mtu !== link.mtu) {
    faults.push(`interface ${link.name} ${where} has MTU ${link.mtu}, not ${wanted.mtu}`);
  }
  return faults;
}

/** The routes of a result that has nobody's interfaces but this attachment's; otherwise whose they are is not known. */
function routesOnlyOurs(result: Result): readonly ConfiguredRoute[] {
  return result.interfaces.filter(({ name }) => !isIfb(name)).length === 2 ? result.routes : [];
}

/** What the IPAM finds. The error of one that is a plugin of its own reaches the runtime, unless more is at fault. */
function ipamFaults(
  ipam: Ipam,
  key: AttachmentKey,
  addresses: readonly IpAddress[],
  others: readonly string[],
): string[] {
  try {
    return ipam.check(key, addresses);
  } catch (error) {
    if (!(error instanceof CniError) || others.length === 0) throw error;
    return [error.message];
  }
}
