import { ConfigError } from '../errors.ts';
import { type Family, parseIp, parsePrefix } from '../ip/address.ts';
import type { RangeSet } from '../ip/range.ts';
import { type Bandwidth, interpretBandwidth } from './bandwidth.ts';
import { documentVersion, isObject, type JsonObject, parseDocument } from './document.ts';
import type { Command } from './environment.ts';
import { CniError, ErrInvalidNetworkConfig } from './error.ts';
import { type Firewall, interpretFirewall } from './firewall.ts';
import { isHostLocal, isStatic, validateConfig } from './generated/validate-config.js';
import { BANDWIDTH, refuseTypos } from './known-keys.ts';
import { MAC_RULE, parseUnicastMac } from './mac.ts';
import { checkedPortMappings, type PortRequest } from './port-mappings.ts';
import { checkedRangeSets, type PlacedRange } from './ranges.ts';
import type { RawConfig, RawHostLocal, RawRange, RawStatic } from './raw.ts';
import { decodeResult, type Result } from './result.ts';
import { type Dns, type Route, readNewRoute, tidyDns } from './route.ts';
import { interpretTuning, type Tuning } from './tuning.ts';
import { MISSING, notAllowed, refusal } from './validate.ts';
import { atLeast, type CniVersion } from './versions.ts';

export type { Bandwidth, RateLimit } from './bandwidth.ts';
export type { Dns, Route } from './route.ts';

/** Where host-local keeps its leases unless the configuration says otherwise, as the reference plugin does. */
export const DEFAULT_DATA_DIR = '/var/lib/cni/networks';
/** Where attachment records are kept unless the configuration says otherwise: gone after a reboot, as links are. */
export const DEFAULT_RUN_DIR = '/run/plumb';

/** One attachment, as GC lists those that are still valid. */
export interface Attachment {
  readonly containerID: string;
  readonly ifname: string;
}

/** An address of `"type": "static"`: CIDR notation, and its gateway. */
export interface StaticAddress {
  readonly address: string;
  readonly gateway?: string;
}

/** The `ipam` object, checked. For types other than host-local and static only type, dataDir and raw say anything. */
export interface IpamConfig {
  readonly type: string;
  /** Absolute path; the network's name is appended to it. */
  readonly dataDir: string;
  /** Range sets of host-local, in order: runtimeConfig.ipRanges, the single range, ranges. */
  readonly ranges: readonly RangeSet[];
  readonly routes: readonly Route[];
  readonly lockTimeoutMs?: number;
  /** A resolv.conf file whose content becomes the result's dns (host-local). */
  readonly resolvConf?: string;
  /** Addresses of static. */
  readonly addresses?: readonly StaticAddress[];
  /** The result's dns (static). */
  readonly dns?: Dns;
  /** The object as it came, to hand on to another plugin. */
  readonly raw: Record<string, unknown>;
}

/** A network configuration, checked: every value is of a kind that the kernel and the IPAM can be given. */
export interface NetworkConfig {
  readonly cniVersion: CniVersion;
  readonly name: string;
  readonly type: string;
  /** Bytes; absent for the kernel's default. */
  readonly mtu?: number;
  readonly ipMasq: boolean;
  /** Requested hardware address, lower case with colons: of runtimeConfig, else of args.cni, else the key mac. */
  readonly mac?: string;
  /** Sysctls and attributes of the container's interface; absent where none is asked for. */
  readonly tuning?: Tuning;
  readonly dns?: Dns;
  /** Absent when nothing is limited. */
  readonly bandwidth?: Bandwidth;
  /** Absent for an interface without addresses (`"ipam": {}`), and for loopback. */
  readonly ipam?: IpamConfig;
  /** Requested addresses, with or without prefix length: of runtimeConfig.ips, else of args.cni.ips. */
  readonly ips: readonly string[];
  /** Ports of the host that are to lead to the container: of runtimeConfig.portMappings. */
  readonly portMappings: readonly PortRequest[];
  /** Whether the container sees the host's address where a mapped port is used by itself or from loopback. */
  readonly snat: boolean;
  /** Whether it sees the host's address whoever uses a mapped port. */
  readonly masqAll: boolean;
  /** Whether the container can send only from its own addresses and MAC. */
  readonly antiSpoofing: boolean;
  /** Which containers can reach it: all, those of its own network, none. */
  readonly ingressPolicy: 'open' | 'same-bridge' | 'isolated';
  /** How forwarding is accepted where another table would drop it; absent where that is not asked for. */
  readonly firewall?: Firewall;
  /** Absolute path of the folder for attachment records. */
  readonly runDir: string;
  /** Where calls are logged, and which; absent when they are not. */
  readonly log?: { readonly target: string; readonly level: 'info' | 'error' };
  /** ADD and CHECK only. */
  readonly prevResult?: Result;
  /** GC only; absent when the configuration has neither key for it, and then nothing may be removed. */
  readonly validAttachments?: readonly Attachment[];
}

/**
 * Parses and checks the network configuration that came on stdin. DEL is lenient, since a configuration that has
 * gone bad must not keep an attachment alive: all it insists on is version, name, ipam.type and ipam.dataDir;
 * whatever else is wrong is dropped.
 *
 * @throws CniError with code 6 for text that is no JSON, 1 for a version that is not spoken here, 7 for a value that
 *   is not allowed: with its path, what was there, what is allowed
 */
export function parseNetworkConfig(text: string, command: Command): NetworkConfig {
  const document = parseDocument(text);
  const cniVersion = documentVersion(document);
  unifyCase(document, 'runtimeConfig');
  // Other commands must not fail on a list that is none of their business.
  if (command !== 'GC') for (const key of ATTACHMENT_KEYS) delete document[key];
  try {
    return command === 'DEL'
      ? interpretLeniently(document, cniVersion)
      : interpret(document, cniVersion, command);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new CniError(ErrInvalidNetworkConfig, `invalid network configuration: ${error.message}`, '', {
      cause: error,
    });
  }
}

const ATTACHMENT_KEYS = ['cni.dev/valid-attachments', 'cni.dev/attachments'] as const;
const CAPABILITY_KEYS = ['ips', 'mac', 'ipRanges', 'dns', 'portMappings', 'bandwidth'];
const PORT_KEYS = ['hostPort', 'containerPort', 'protocol', 'hostIP'];
const NESTED_KEYS = ['servers', 'searches', 'options', 'subnet', 'rangeStart', 'rangeEnd', 'gateway'];

/** Renames the keys of runtimeConfig, whose case differs between runtimes, to our spelling. */
function unifyCase(document: JsonObject, key: string): void {
  const given = document[key];
  if (!isObject(given)) return;
  const config = renamed(given, CAPABILITY_KEYS);
  const { dns, ipRanges, portMappings } = config;
  if (Array.isArray(portMappings)) {
    config['portMappings'] = portMappings.map((item: unknown) =>
      isObject(item) ? renamed(item, PORT_KEYS) : item,
    );
  }
  if (isObject(dns)) config['dns'] = renamed(dns, NESTED_KEYS);
  if (isObject(config['bandwidth'])) config['bandwidth'] = renamed(config['bandwidth'], BANDWIDTH);
  if (Array.isArray(ipRanges)) {
    config['ipRanges'] = ipRanges.map((set: unknown) =>
      Array.isArray(set)
        ? set.map((range: unknown) => (isObject(range) ? renamed(range, NESTED_KEYS) : range))
        : set,
    );
  }
  document[key] = config;
}

function renamed(object: JsonObject, names: readonly string[]): JsonObject {
  const out: JsonObject = {};
  for (const [key, value] of Object.entries(object)) {
    const name = names.find((it) => it.toLowerCase() === key.toLowerCase()) ?? key;
    // The exact spelling wins over another one, wherever it stands.
    if (name === key || !Object.hasOwn(object, name)) out[name] = value;
  }
  return out;
}

/** Drops whatever is at fault, one thing at a time, until the rest is fine or what matters is at fault. */
function interpretLeniently(document: JsonObject, cniVersion: CniVersion): NetworkConfig {
  for (;;) {
    try {
      return interpret(document, cniVersion, 'DEL');
    } catch (error) {
      if (!(error instanceof ConfigError) || !dropFaulty(document, error.path)) throw error;
    }
  }
}

/** What DEL takes for the type when there is no usable one: whoever called us meant us. */
const STAND_IN_TYPE = 'plumb';

function dropFaulty(document: JsonObject, path: string): boolean {
  const [, key = '', subKey = ''] = /^(\w+)(?:\.(\w+))?/.exec(path) ?? [];
  if (key === 'name') return false;
  if (key === 'type') {
    const isNew = document['type'] !== STAND_IN_TYPE;
    document['type'] = STAND_IN_TYPE;
    return isNew;
  }
  const ipam = document['ipam'];
  if (key !== 'ipam') return Object.hasOwn(document, key) && delete document[key];
  if (!isObject(ipam) || subKey === 'type' || subKey === 'dataDir') return false;
  return Object.hasOwn(ipam, subKey) && delete ipam[subKey];
}

function interpret(document: JsonObject, cniVersion: CniVersion, command: Command): NetworkConfig {
  const isLenient = command === 'DEL';
  if (!isLenient) refuseTypos(document);
  if (!validateConfig(document)) throw refusal(validateConfig);
  const raw: RawConfig = document;
  const ips = requestedIps(raw);
  const ipam = interpretIpam(raw, cniVersion, isLenient);
  const mtu = interpretMtu(raw, ipam);
  const tuning = interpretTuning(raw);
  const mac = requestedMac(raw);
  const dns = interpretDns(raw);
  const bandwidth = interpretBandwidth(raw);
  const firewall = interpretFirewall(raw);
  const prevResult = interpretPrevResult(raw.prevResult, cniVersion, command);
  const validAttachments = command === 'GC' ? interpretAttachments(raw) : undefined;
  return {
    cniVersion,
    name: raw.name,
    type: raw.type,
    ipMasq: raw.ipMasq ?? false,
    ips,
    portMappings: checkedPortMappings(raw.runtimeConfig?.portMappings),
    snat: raw.snat ?? true,
    masqAll: raw.masqAll ?? false,
    antiSpoofing: raw.antiSpoofing ?? false,
    ingressPolicy: raw.ingressPolicy || 'open',
    runDir: raw.runDir || DEFAULT_RUN_DIR,
    ...(raw.callLog ? { log: { target: raw.callLog, level: raw.callLogLevel || 'info' } } : {}),
    ...(mtu === undefined ? {} : { mtu }),
    ...(mac === undefined ? {} : { mac }),
    ...(tuning === undefined ? {} : { tuning }),
    ...(dns === undefined ? {} : { dns }),
    ...(bandwidth === undefined ? {} : { bandwidth }),
    ...(firewall === undefined ? {} : { firewall }),
    ...(ipam === undefined ? {} : { ipam }),
    ...(prevResult === undefined ? {} : { prevResult }),
    ...(validAttachments === undefined ? {} : { validAttachments }),
  };
}

const LEAST_IPV6_MTU = 1280; // RFC 8200, section 5: below it the kernel turns IPv6 off on the link

function interpretMtu(raw: RawConfig, ipam: IpamConfig | undefined): number | undefined {
  const fromArgs = raw.args?.cni?.mtu;
  const mtu = fromArgs || raw.mtu || 0;
  if (mtu === 0) return undefined;
  const hasIpv6 =
    ipam?.ranges.some((set) => set.some(({ subnet }) => subnet.address.family === 6)) ||
    ipam?.addresses?.some(({ address }) => parsePrefix(address)?.address.family === 6);
  if (hasIpv6 && mtu < LEAST_IPV6_MTU) {
    throw notAllowed(
      fromArgs ? 'args.cni.mtu' : 'mtu',
      mtu,
      `a whole number from ${LEAST_IPV6_MTU} to 65535, as there are IPv6 addresses`,
    );
  }
  return mtu;
}

function requestedIps(raw: RawConfig): readonly string[] {
  const fromArgs = checkedIps(raw.args?.cni?.ips ?? [], 'args.cni.ips');
  const fromRuntime = checkedIps(raw.runtimeConfig?.ips ?? [], 'runtimeConfig.ips');
  // podman names an address twice when it reloads a network.
  return [...new Set(fromRuntime.length > 0 ? fromRuntime : fromArgs)];
}

function checkedIps(ips: readonly string[], path: string): readonly string[] {
  for (const [i, ip] of ips.entries()) {
    if (parseIp(ip) === undefined && parsePrefix(ip) === undefined) {
      throw notAllowed(`${path}[${i}]`, ip, 'an IP address, with or without prefix length');
    }
  }
  return ips;
}

function requestedMac(raw: RawConfig): string | undefined {
  const own = checkedMac(raw.mac, 'mac');
  const fromArgs = checkedMac(raw.args?.cni?.mac, 'args.cni.mac');
  return checkedMac(raw.runtimeConfig?.mac, 'runtimeConfig.mac') ?? fromArgs ?? own;
}

function checkedMac(text: string | null | undefined, path: string): string | undefined {
  if (text === undefined || text === null || text === '') return undefined;
  const mac = parseUnicastMac(text);
  if (mac === undefined) throw notAllowed(path, text, MAC_RULE);
  return mac;
}

/** The configuration's dns; lists that the runtime gives take the place of the configuration's. */
function interpretDns(raw: RawConfig): Dns | undefined {
  const { servers, searches, options } = raw.runtimeConfig?.dns ?? {};
  const dns = { ...tidyDns(raw.dns), ...tidyDns({ nameservers: servers, search: searches, options }) };
  return Object.keys(dns).length === 0 ? undefined : dns;
}

/** The others have no use for it; what DEL needs is in our own record, which no runtime can garble. */
function interpretPrevResult(value: unknown, cniVersion: CniVersion, command: Command): Result | undefined {
  if (value === undefined || value === null || (command !== 'ADD' && command !== 'CHECK')) return undefined;
  return decodeResult(value, cniVersion);
}

/** Both keys together, where a runtime sends both: what either calls valid is not to be removed. */
function interpretAttachments(raw: RawConfig): readonly Attachment[] | undefined {
  const lists = ATTACHMENT_KEYS.map((key) => raw[key]).filter((list) => list !== undefined);
  if (lists.length === 0) return undefined;
  return lists.flatMap((list) => (list ?? []).map(({ containerID, ifname }) => ({ containerID, ifname })));
}

function interpretIpam(raw: RawConfig, cniVersion: CniVersion, isLenient: boolean): IpamConfig | undefined {
  const ipam: unknown = raw.ipam;
  if (ipam === undefined || ipam === null) {
    // Whoever wants no addresses has to say so: a forgotten ipam is a mistake that would show only at run time.
    if (isLenient || raw.type === 'loopback') return undefined;
    throw notAllowed(
      'ipam',
      ipam === null ? ipam : MISSING,
      'an object with a type, or exactly {} for an interface without addresses',
    );
  }
  const type = raw.ipam?.type;
  if (!isObject(ipam) || type === undefined) return undefined;
  const base = { type, dataDir: DEFAULT_DATA_DIR, ranges: [], routes: [], raw: ipam };
  if (type === 'host-local') {
    if (!isHostLocal(ipam)) throw refusal(isHostLocal, 'ipam');
    return { ...base, ...interpretHostLocal(ipam, raw, cniVersion, isLenient) };
  }
  if (type === 'static') {
    if (!isStatic(ipam)) throw refusal(isStatic, 'ipam');
    return { ...base, ...interpretStatic(ipam, cniVersion) };
  }
  return base;
}

function interpretHostLocal(
  ipam: RawHostLocal,
  raw: RawConfig,
  cniVersion: CniVersion,
  isLenient: boolean,
): Partial<IpamConfig> {
  const placed = [
    ...placedSets(raw.runtimeConfig?.ipRanges, 'runtimeConfig.ipRanges'),
    ...singleRange(ipam),
    ...placedSets(ipam.ranges, 'ipam.ranges'),
  ];
  if (placed.length === 0 && !isLenient) {
    throw notAllowed(
      'ipam.subnet',
      ipam.subnet ?? MISSING,
      'a network in CIDR notation, or ranges in its stead',
    );
  }
  const ranges = checkedRangeSets(placed);
  const networks = placed.flatMap((set) =>
    set.slice(0, 1).map(({ path, raw: { subnet } }) => ({ path: `${path}.subnet`, cidr: subnet })),
  );
  refuseSecondOfFamily(networks, cniVersion);
  return {
    ranges,
    routes: newRoutes(ipam.routes),
    ...(ipam.dataDir ? { dataDir: ipam.dataDir } : {}),
    ...(typeof ipam.lockTimeoutMs === 'number' ? { lockTimeoutMs: ipam.lockTimeoutMs } : {}),
    ...(ipam.resolvConf ? { resolvConf: ipam.resolvConf } : {}),
  };
}

function placedSets(
  sets: readonly (readonly RawRange[])[] | null | undefined,
  path: string,
): PlacedRange[][] {
  return (sets ?? []).map((set, i) => set.map((raw, j) => ({ path: `${path}[${i}][${j}]`, raw })));
}

/** The range whose keys stand in ipam itself, the older way of writing it. */
function singleRange(ipam: RawHostLocal): PlacedRange[][] {
  const { subnet, rangeStart, rangeEnd, gateway } = ipam;
  if (typeof subnet === 'string') return [[{ path: 'ipam', raw: { subnet, rangeStart, rangeEnd, gateway } }]];
  const orphan = Object.entries({ rangeStart, rangeEnd, gateway }).find(([, value]) => value);
  if (orphan === undefined) return [];
  throw new ConfigError(
    `ipam.${orphan[0]}`,
    'has no effect without ipam.subnet; inside ranges it belongs to a range',
  );
}

function newRoutes(routes: RawHostLocal['routes']): Route[] {
  return (routes ?? []).map((route, i) => readNewRoute(route, `ipam.routes[${i}]`));
}

/** A result of 0.1.0 or 0.2.0 has room for one address of each family. */
function refuseSecondOfFamily(
  networks: readonly { readonly path: string; readonly cidr: string }[],
  cniVersion: CniVersion,
): void {
  if (atLeast(cniVersion, '0.3.0')) return;
  const seen = new Set<Family>();
  for (const { path, cidr } of networks) {
    const family = parsePrefix(cidr)?.address.family;
    if (family === undefined) continue;
    if (seen.has(family)) {
      throw notAllowed(
        path,
        cidr,
        `one IPv${family} address only, as cniVersion ${cniVersion} has no room for more`,
      );
    }
    seen.add(family);
  }
}

// Whether there is an address at all is seen when one is needed: the runtime may give it in the environment.
function interpretStatic(ipam: RawStatic, cniVersion: CniVersion): Partial<IpamConfig> {
  const addresses = (ipam.addresses ?? []).map(({ address, gateway }, i): StaticAddress => {
    const path = `ipam.addresses[${i}]`;
    const family = parsePrefix(address)?.address.family;
    if (family === undefined)
      throw notAllowed(`${path}.address`, address, 'an address in CIDR notation such as 10.1.0.5/24');
    if (!gateway) return { address };
    if (parseIp(gateway)?.family !== family)
      throw notAllowed(`${path}.gateway`, gateway, `an IPv${family} address`);
    return { address, gateway };
  });
  const placed = addresses.map(({ address }, i) => ({ path: `ipam.addresses[${i}].address`, cidr: address }));
  refuseSecondOfFamily(placed, cniVersion);
  const dns = tidyDns(ipam.dns);
  return { addresses, routes: newRoutes(ipam.routes), ...(Object.keys(dns).length === 0 ? {} : { dns }) };
}
