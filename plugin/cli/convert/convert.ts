import networkConfig from '../../../schemas/network-config.schema.json' with { type: 'json' };
import { isObject, type JsonObject } from '../../../src/cni/document.ts';
import { ConfigError } from '../../../src/errors.ts';
import { parsePrefix } from '../../../src/ip/address.ts';
import { showPath } from '../config/path.ts';
import { subnetsOf } from '../config/subnets.ts';
import { LOSSES, REASONS, REMARKS, type Reason } from './reasons.ts';

/** Something that is not in the new list as it was in the old one. */
export interface Remark {
  readonly fate: Reason['fate'] | 'kept';
  /** Where it stood, such as `plugins[0].vlan`. */
  readonly path: string;
  readonly why: string;
}

/** A list with plumb in the place of the reference plugins. */
export interface Converted {
  readonly list: JsonObject;
  readonly remarks: readonly Remark[];
}

/** Plugins that make the container's interface. */
const MAIN = ['ptp', 'bridge', 'plumb', 'plumb-node', 'flannel'];
/** Plugins that add something to it, which plumb does itself. */
const EXTRA = ['portmap', 'bandwidth', 'firewall', 'tuning'];
const PLUMB_KEYS = Object.keys(networkConfig.properties);
/** The version of a configuration that says none, when it becomes a list. */
const VERSION_OF_LISTS = '1.0.0';

/**
 * Converts a list, or a single configuration, of reference plugins. Plugins that plumb does not replace stay where they
 * are; loopback stays as it is, for the executable is that plugin under this name.
 *
 * Throws {@link ConfigError} for a document with nothing in it that plumb could take the place of.
 */
export function convert(document: JsonObject): Converted {
  const remarks: Remark[] = [];
  const list = asList(document, remarks);
  const plugins = Array.isArray(list['plugins']) ? list['plugins'].filter(isObject) : [];
  if (plugins.every(({ type }) => type === 'loopback') && plugins.length > 0) return { list, remarks };
  const at = plugins.findIndex(({ type }) => MAIN.includes(String(type)));
  const main = plugins[at];
  if (main === undefined) {
    const types = plugins.map(({ type }) => JSON.stringify(type)).join(', ');
    throw new ConfigError(
      'plugins',
      `no plugin that plumb could take the place of (${types || 'none at all'}); it replaces ptp and bridge, and what stands behind them`,
    );
  }
  const entry = new EntryBuilder(remarks);
  entry.takeMain(main, ['plugins', at]);
  const foreign: { readonly plugin: JsonObject; readonly isBefore: boolean }[] = [];
  for (const [i, plugin] of plugins.entries()) {
    const type = String(plugin['type']);
    if (i === at) continue;
    if (i > at && EXTRA.includes(type)) {
      entry.takeExtra(plugin, ['plugins', i]);
      continue;
    }
    foreign.push({ plugin, isBefore: i < at });
    const why = REMARKS[type] ?? 'not one that plumb replaces; it stays in the list';
    remarks.push({ fate: 'kept', path: showPath(['plugins', i]), why: `${JSON.stringify(type)}: ${why}` });
  }
  const of = (before: boolean): JsonObject[] =>
    foreign.filter(({ isBefore }) => isBefore === before).map(({ plugin }) => plugin);
  return { list: { ...list, plugins: [...of(true), entry.build(), ...of(false)] }, remarks };
}

/** A list, made of a single configuration if it is one; with a version in any case. */
function asList(document: JsonObject, remarks: Remark[]): JsonObject {
  const { $schema, cniVersion, ...rest } = document;
  const head = { ...($schema === undefined ? {} : { $schema }), cniVersion: cniVersion ?? VERSION_OF_LISTS };
  if (cniVersion === undefined) {
    const why = `missing; it is ${VERSION_OF_LISTS} now`;
    remarks.push({ fate: 'kept', path: 'cniVersion', why });
  }
  if (Object.hasOwn(document, 'plugins')) return { ...head, ...rest };
  const { name, ...plugin } = rest;
  return { ...head, ...(name === undefined ? {} : { name }), plugins: [plugin] };
}

type At = readonly (string | number)[];

/** Gathers plumb's entry from those of the plugins that it takes the place of. */
class EntryBuilder {
  readonly #remarks: Remark[];
  readonly #keys: JsonObject = {};
  readonly #capabilities: JsonObject = {};
  #flannel: JsonObject | undefined;

  constructor(remarks: Remark[]) {
    this.#remarks = remarks;
  }

  takeMain(plugin: JsonObject, at: At): void {
    const { type, ...keys } = plugin;
    if (type === 'flannel') {
      const { delegate, ...own } = plugin;
      this.#flannel = own;
      const { type: delegated = 'bridge', ...rest } = isObject(delegate) ? delegate : {};
      if (delegated === 'flannel' || !MAIN.includes(String(delegated))) {
        const path = showPath([...at, 'delegate', 'type']);
        throw new ConfigError(path, `plumb does not take the place of ${JSON.stringify(delegated)}`);
      }
      this.#take(String(delegated), rest, [...at, 'delegate']);
      this.#remark(
        'kept',
        at,
        '"flannel": it goes on finding out the subnet, and calls plumb in the place of bridge',
      );
      if (rest['isDefaultGateway'] === true) this.#addFlannelRoute(own, at);
      if (isObject(own['capabilities'])) Object.assign(this.#capabilities, own['capabilities']);
      return;
    }
    this.#take(String(type), keys, at);
    this.#takeIpam(String(type), plugin, at);
  }

  // The ipam of flannel's own entry is what it makes the delegate's of.
  #addFlannelRoute(own: JsonObject, at: At): void {
    const ipam = isObject(own['ipam']) ? own['ipam'] : {};
    const routes = Array.isArray(ipam['routes']) ? ipam['routes'] : [];
    if (routes.some((route: unknown) => isDefaultRoute(route, 4))) return;
    this.#flannel = { ...own, ipam: { ...ipam, routes: [...routes, { dst: '0.0.0.0/0' }] } };
    const why =
      'the default route stands in ipam.routes now; if containers have IPv6, add { "dst": "::/0" } there';
    this.#remark('kept', [...at, 'delegate', 'isDefaultGateway'], why);
  }

  takeExtra({ type, ...keys }: JsonObject, at: At): void {
    const loss = LOSSES[String(type)];
    if (loss !== undefined) this.#remark('lost', at, loss);
    this.#take(String(type), keys, at);
  }

  /** The finished entry, its keys in the order of the documentation. */
  build(): JsonObject {
    const keys = this.#keys;
    // podman puts `ips` in the place of all others where a container's address is asked for and the first plugin lacks it.
    if (Object.keys(this.#capabilities).length > 0)
      keys['capabilities'] = { ...this.#capabilities, ips: this.#capabilities['ips'] ?? true };
    const names = PLUMB_KEYS.filter((key) => key !== 'type' && key !== 'ipam' && Object.hasOwn(keys, key));
    const ordered = Object.fromEntries(names.map((key) => [key, keys[key]]));
    if (this.#flannel === undefined) return { type: 'plumb', ...ordered, ipam: keys['ipam'] ?? {} };
    const { capabilities, ...delegate } = ordered;
    return {
      ...this.#flannel,
      ...(capabilities === undefined ? {} : { capabilities }),
      delegate: { type: 'plumb', ...delegate },
    };
  }

  #take(type: string, keys: JsonObject, at: At): void {
    const reasons = REASONS[type] ?? {};
    for (const [key, value] of Object.entries(keys)) {
      const path = [...at, key];
      if (key === 'ipam' || isUnset(value)) continue;
      if (key === 'capabilities' && isObject(value)) Object.assign(this.#capabilities, value);
      else if (key === 'name' || key === 'cniVersion') continue;
      else if (key === 'args' && isObject(value)) this.#keys[key] = mergedArgs(this.#keys[key], value);
      else if (reasons[key] !== undefined) this.#leaveOut(reasons[key], value, path);
      else if (PLUMB_KEYS.includes(key)) this.#keys[key] = value;
      else this.#remark('lost', path, 'neither plumb nor this plugin of the reference knows this key');
    }
    if (type === 'bridge') this.#takeBridge(keys, at);
  }

  #leaveOut({ fate, why }: Reason, value: unknown, path: At): void {
    // What is turned off has not done anything.
    if (value === false || value === 0) return;
    this.#remark(fate, path, why);
  }

  #takeBridge(keys: JsonObject, at: At): void {
    if (keys['macspoofchk'] === true) this.#keys['antiSpoofing'] = true;
    if (keys['portIsolation'] === true) this.#keys['ingressPolicy'] = 'isolated';
    const hasAddresses = isObject(keys['ipam']) && Object.keys(keys['ipam']).length > 0;
    if (!hasAddresses && at.at(-1) !== 'delegate') {
      const why =
        'a bridge without addresses connects containers on layer 2, which plumb does not: they will reach nobody';
      this.#remark('lost', at, why);
    }
  }

  #takeIpam(type: string, plugin: JsonObject, at: At): void {
    const { ipam } = plugin;
    if (!isObject(ipam) || Object.keys(ipam).length === 0) return;
    this.#keys['ipam'] = ipam;
    if (ipam['type'] === 'dhcp') {
      const why =
        'requests of the container end on the host, which routes and does not bridge: DHCP works only if the host itself answers; use host-local or static';
      this.#remark('lost', [...at, 'ipam'], why);
    }
    if (type !== 'bridge' || plugin['isDefaultGateway'] !== true) return;
    const routes = Array.isArray(ipam['routes']) ? ipam['routes'] : [];
    const families = new Set(subnetsOf(plugin, []).map(({ subnet }) => subnet.address.family));
    const missing = [...families].flatMap((family) => {
      const isThere = routes.some((route: unknown) => isDefaultRoute(route, family));
      return isThere ? [] : [{ dst: family === 4 ? '0.0.0.0/0' : '::/0' }];
    });
    if (missing.length > 0) this.#keys['ipam'] = { ...ipam, routes: [...routes, ...missing] };
  }

  #remark(fate: Remark['fate'], path: At, why: string): void {
    this.#remarks.push({ fate, path: showPath(path), why });
  }
}

/** What Go programs write for nothing; a list is empty that has no conditions. */
function isUnset(value: unknown): boolean {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0);
}

function isDefaultRoute(route: unknown, family: 4 | 6): boolean {
  const dst = isObject(route) && typeof route['dst'] === 'string' ? parsePrefix(route['dst']) : undefined;
  return dst?.prefixLength === 0 && dst.address.family === family;
}

function mergedArgs(before: unknown, args: JsonObject): JsonObject {
  const earlier = isObject(before) ? before : {};
  const cni = {
    ...(isObject(earlier['cni']) ? earlier['cni'] : {}),
    ...(isObject(args['cni']) ? args['cni'] : {}),
  };
  return { ...earlier, ...args, ...(Object.keys(cni).length === 0 ? {} : { cni }) };
}
