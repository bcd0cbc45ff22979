import { ConfigError } from '../errors.ts';
import { isObject, type JsonObject } from './document.ts';
import { meantKey } from './typo.ts';

/** The keys of traffic shaping. */
export const BANDWIDTH = [
  ...['ingressRate', 'ingressBurst', 'egressRate', 'egressBurst', 'unshapedSubnets', 'shapedSubnets'],
];
const TOP = [
  ...BANDWIDTH,
  ...['cniVersion', 'name', 'type', 'mtu', 'ipMasq', 'mac', 'dns', 'ipam', 'runDir'],
  ...['args', 'capabilities', 'runtimeConfig', 'prevResult', 'ipMasqBackend', 'snat', 'masqAll'],
  ...['antiSpoofing', 'ingressPolicy'],
  ...['markAcceptBit', 'acceptChains', 'iptablesAdminChainName', 'firewalldZone'],
  ...['conditionsV4', 'conditionsV6', 'markMasqBit', 'externalSetMarkChain', 'backend'],
  ...['sysctl', 'promisc', 'allmulti', 'txQLen'],
];
const HOST_LOCAL = [
  ...['type', 'dataDir', 'subnet', 'rangeStart', 'rangeEnd', 'gateway', 'ranges', 'routes'],
  ...['resolvConf', 'lockTimeoutMs'],
];
const STATIC = ['type', 'addresses', 'routes', 'dns'];
const RANGE = ['subnet', 'rangeStart', 'rangeEnd', 'gateway'];
const ROUTE = ['dst', 'gw', 'mtu', 'advmss', 'priority', 'table', 'scope'];
const DNS = ['nameservers', 'domain', 'search', 'options'];

/**
 * Refuses keys that look like a misspelt key of ours which is absent. Other unknown keys are somebody else's and
 * ignored; so is all that stands in the ipam of a type that is not ours.
 *
 * @throws ConfigError that names the key that was probably meant
 */
export function refuseTypos(document: JsonObject): void {
  refuseIn(document, TOP, '');
  refuseIn(document['dns'], DNS, 'dns');
  const ipam = document['ipam'];
  if (!isObject(ipam)) return;
  const type = ipam['type'];
  if (type === 'host-local') {
    refuseIn(ipam, HOST_LOCAL, 'ipam');
    each(ipam['ranges'], 'ipam.ranges', (set, path) =>
      each(set, path, (range, at) => refuseIn(range, RANGE, at)),
    );
  } else if (type === 'static') {
    refuseIn(ipam, STATIC, 'ipam');
    refuseIn(ipam['dns'], DNS, 'ipam.dns');
  } else if (type === undefined) {
    refuseIn(ipam, ['type'], 'ipam');
    return;
  } else {
    return;
  }
  each(ipam['routes'], 'ipam.routes', (route, path) => refuseIn(route, ROUTE, path));
}

function each(list: unknown, path: string, visit: (item: unknown, path: string) => void): void {
  if (!Array.isArray(list)) return;
  for (const [i, item] of list.entries()) visit(item, `${path}[${i}]`);
}

function refuseIn(value: unknown, known: readonly string[], path: string): void {
  if (!isObject(value)) return;
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    const meant = meantKey(
      key,
      known.filter((candidate) => !Object.hasOwn(value, candidate)),
    );
    if (meant === undefined) continue;
    throw new ConfigError(
      path === '' ? key : `${path}.${key}`,
      `unknown key; did you mean ${JSON.stringify(meant)}?`,
    );
  }
}
