import { ConfigError } from '../errors.ts';
import { type Family, parseIp, parsePrefix } from '../ip/address.ts';
import { CniError, ErrInvalidNetworkConfig } from './error.ts';
import { validateResult020, validateResult030, validateResult100 } from './generated/validate-result.js';
import type { RawIpConfig, RawResult, RawResult020 } from './raw.ts';
import { type Dns, type Route, readRoute, tidyDns } from './route.ts';
import { notAllowed, refusal } from './validate.ts';
import { atLeast, type CniVersion, isSupported, SUPPORTED_VERSIONS } from './versions.ts';

/** The result of an attachment in its newest form (1.1.0), whatever version is spoken outside. */
export interface Result {
  interfaces: ResultInterface[];
  ips: ResultIp[];
  routes: Route[];
  dns: Dns;
}

/** An interface of a result; those inside a container have a sandbox. */
export interface ResultInterface {
  name: string;
  mac?: string;
  mtu?: number;
  sandbox?: string;
  socketPath?: string;
  pciID?: string;
}

/** An address of a result, in CIDR notation. */
export interface ResultIp {
  address: string;
  gateway?: string;
  /** Index into the result's interfaces. */
  interface?: number;
}

/**
 * The result as JSON in the form of `version`, without what that cannot carry: 0.1.0 and 0.2.0 have one address
 * of each family and no interfaces; an interface's mtu, socketPath and pciID, and a route's keys beyond dst
 * and gw, came with 1.1.0 (specification, "Success").
 */
export function encodeResult(result: Result, version: CniVersion): string {
  const dns = tidyDns(result.dns);
  const dnsPart = Object.keys(dns).length === 0 ? {} : { dns };
  if (!atLeast(version, '0.3.0')) {
    return JSON.stringify({
      cniVersion: version,
      ip4: ipConfig(result, 4),
      ip6: ipConfig(result, 6),
      ...dnsPart,
    });
  }
  const interfaces: readonly object[] = atLeast(version, '1.1.0')
    ? result.interfaces
    : result.interfaces.map(({ name, mac, sandbox }) => ({ name, mac, sandbox }));
  const ips = atLeast(version, '1.0.0')
    ? result.ips
    : result.ips.map((ip) => ({ version: String(familyOf(ip.address)), ...ip }));
  const routes = atLeast(version, '1.1.0') ? result.routes : result.routes.map(shortRoute);
  return JSON.stringify({
    cniVersion: version,
    interfaces: unlessEmpty(interfaces),
    ips: unlessEmpty(ips),
    routes: unlessEmpty(routes),
    ...dnsPart,
  });
}

function ipConfig(result: Result, family: Family): object | undefined {
  const ip = result.ips.find(({ address }) => familyOf(address) === family);
  if (ip === undefined) return undefined;
  const routes = result.routes.filter(({ dst }) => familyOf(dst) === family).map(shortRoute);
  return { ip: ip.address, gateway: ip.gateway, routes: unlessEmpty(routes) };
}

function shortRoute({ dst, gw }: Route): object {
  return { dst, gw };
}

function familyOf(cidr: string): Family | undefined {
  return parsePrefix(cidr)?.address.family;
}

function unlessEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

/**
 * A result (prevResult, or what an IPAM plugin printed) of any version in its newest form. Its own cniVersion
 * wins over `version`. Unknown keys are dropped.
 *
 * @throws CniError with code 7 when it is malformed
 */
export function decodeResult(value: unknown, version: CniVersion, path = 'prevResult'): Result {
  try {
    const own = ownVersion(value, version, path);
    if (!atLeast(own, '0.3.0')) {
      if (!validateResult020(value)) throw refusal(validateResult020, path);
      return fromOldest(value, path);
    }
    const validate = atLeast(own, '1.0.0') ? validateResult100 : validateResult030;
    if (!validate(value)) throw refusal(validate, path);
    return fromLists(value, path);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new CniError(ErrInvalidNetworkConfig, `invalid result: ${error.message}`, '', { cause: error });
  }
}

function ownVersion(value: unknown, version: CniVersion, path: string): CniVersion {
  if (typeof value !== 'object' || value === null || !('cniVersion' in value)) return version;
  const own = value.cniVersion;
  if (own === undefined || own === null || own === '') return version;
  if (typeof own === 'string' && isSupported(own)) return own;
  throw notAllowed(`${path}.cniVersion`, own, SUPPORTED_VERSIONS.join(', '));
}

function fromOldest(raw: RawResult020, path: string): Result {
  const result: Result = { interfaces: [], ips: [], routes: [], dns: tidyDns(raw.dns) };
  const addFamily = (config: RawIpConfig | null | undefined, family: Family, key: string): void => {
    if (config === null || config === undefined) return;
    const where = `${path}.${key}`;
    result.ips.push({
      address: checkedCidr(config.ip, `${where}.ip`, family),
      ...gatewayOf(config.gateway, where, family),
    });
    config.routes?.forEach((route, i) => {
      result.routes.push(readRoute(route, `${where}.routes[${i}]`));
    });
  };
  addFamily(raw.ip4, 4, 'ip4');
  addFamily(raw.ip6, 6, 'ip6');
  return result;
}

function fromLists(raw: RawResult, path: string): Result {
  const interfaces = (raw.interfaces ?? []).map(({ name, mac, mtu, sandbox, socketPath, pciID }) => ({
    name,
    ...(mac ? { mac } : {}),
    ...(mtu ? { mtu } : {}),
    ...(sandbox ? { sandbox } : {}),
    ...(socketPath ? { socketPath } : {}),
    ...(pciID ? { pciID } : {}),
  }));
  const ips = (raw.ips ?? []).map((ip, i): ResultIp => {
    const where = `${path}.ips[${i}]`;
    const address = checkedCidr(ip.address, `${where}.address`);
    const family = familyOf(address);
    if (ip.version !== undefined && ip.version !== String(family)) {
      throw notAllowed(`${where}.version`, ip.version, `"${family}", as the address is ${address}`);
    }
    const index = ip.interface;
    if (typeof index === 'number' && index >= interfaces.length) {
      throw notAllowed(`${where}.interface`, index, `the index of one of ${interfaces.length} interfaces`);
    }
    return {
      address,
      ...gatewayOf(ip.gateway, where, family),
      ...(typeof index === 'number' ? { interface: index } : {}),
    };
  });
  const routes = (raw.routes ?? []).map((route, i) => readRoute(route, `${path}.routes[${i}]`));
  return { interfaces, ips, routes, dns: tidyDns(raw.dns) };
}

function checkedCidr(text: string, path: string, family?: Family): string {
  const actual = familyOf(text);
  if (actual === undefined || (family !== undefined && actual !== family)) {
    throw notAllowed(
      path,
      text,
      `an ${family === undefined ? 'IP' : `IPv${family}`} address in CIDR notation`,
    );
  }
  return text;
}

function gatewayOf(
  text: string | null | undefined,
  path: string,
  family: Family | undefined,
): { gateway?: string } {
  if (text === undefined || text === null || text === '') return {};
  if (parseIp(text)?.family !== family) throw notAllowed(`${path}.gateway`, text, `an IPv${family} address`);
  return { gateway: text };
}
