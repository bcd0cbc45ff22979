import { ConfigError } from '../errors.ts';
import { isObject, type JsonObject } from './document.ts';
import { meantKey } from './typo.ts';

/** The keys of traffic shaping. */
export const BANDWIDTH = [
  ...['ingressRate', 'ingressBurst', 'egressRate', 'egressBurst', 'unshapedSubnets', 'shapedSubnets'],
];
const TOP = [
  ...BANDWIDTH,
  ...['$schema', 'cniVersion', 'name', 'type', 'mtu', 'ipMasq', 'mac', 'dns', 'ipam', 'runDir'],
  ...['callLog', 'callLogLevel'],
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

/** A key that is none of ours. */
export interface UnknownKey {
  /** Path of the object that it stands in; '' for the document. */
  readonly at: string;
  readonly key: string;
  /** The key of ours, absent there, that it was probably meant to be. */
  readonly meant: string | undefined;
}

/**
 * Refuses keys that look like a misspelt key of ours which is absent. Other unknown keys are somebody else's and
 * ignored; so is all that stands in the ipam of a type that is not ours.
 *
 * @throws ConfigError that names the key that was probably meant
 */
export function refuseTypos(document: JsonObject): void {
  visitUnknownKeys(document, ({ at, key, meant }) => {
    if (meant === undefined) return;
    throw new ConfigError(
      at === '' ? key : `${at}.${key}`,
      `unknown key; did you mean ${JSON.stringify(meant)}?`,
    );
  });
}

/** Calls `visit` for each key that is none of ours, where {@link refuseTypos} looks for them. */
export function visitUnknownKeys(document: JsonObject, visit: (unknown: UnknownKey) => void): void {
  visitIn(document, TOP, '', visit);
  visitIn(document['dns'], DNS, 'dns', visit);
  const ipam = document['ipam'];
  if (!isObject(ipam)) return;
  const type = ipam['type'];
  if (type === 'host-local') {
    visitIn(ipam, HOST_LOCAL, 'ipam', visit);
    each(ipam['ranges'], 'ipam.ranges', (set, path) =>
      each(set, path, (range, at) => visitIn(range, RANGE, at, visit)),
    );
  } else if (type === 'static') {
    visitIn(ipam, STATIC, 'ipam', visit);
    visitIn(ipam['dns'], DNS, 'ipam.dns', visit);
  } else {
    if (type === undefined) visitIn(ipam, ['type'], 'ipam', visit);
    return;
  }
  each(ipam['routes'], 'ipam.routes', (route, path) => visitIn(route, ROUTE, path, visit));
}

function each(list: unknown, path: string, visit: (item: unknown, path: string) => void): void {
  if (!Array.isArray(list)) return;
  for (const [i, item] of list.entries()) visit(item, `${path}[${i}]`);
}

function visitIn(
  value: unknown,
  known: readonly string[],
  at: string,
  visit: (unknown: UnknownKey) => void,
): void {
  if (!isObject(value)) return;
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    const absent = known.filter((candidate) => !Object.hasOwn(value, candidate));
    visit({ at, key, meant: meantKey(key, absent) });
  }
}
