import { isObject, type JsonObject } from '../../src/cni/document.ts';
import { SUPPORTED_VERSIONS } from '../../src/cni/versions.ts';
import { ConfigError } from '../../src/errors.ts';

/** A network as a file of the configuration folder has it: a list of plugins that are called one after another. */
export interface NetworkList {
  /** The file. */
  readonly path: string;
  readonly name: string;
  /** The version that the plugins are spoken to in; empty if the file has none. */
  readonly cniVersion: string;
  /** The runtime is not to call CHECK. */
  readonly disableCheck: boolean;
  /** At least one; each has a `type`. */
  readonly plugins: readonly NetworkPlugin[];
  /** The list as JSON; a file with a single plugin is made a list. */
  readonly json: string;
}

/** One plugin of a network: its entry as the file has it. */
export interface NetworkPlugin {
  readonly type: string;
  readonly entry: JsonObject;
}

/** Whether plumb is called for an entry; the loopback plugin, which plumb can be too, is not meant. */
export function isPlumb({ type }: { readonly type?: unknown }): boolean {
  return type === 'plumb' || type === 'plumb-node';
}

/**
 * Reads a list (`.conflist`). `more` are the entries that lie in a folder of the network's name beside the file, which
 * belong to it unless it says `loadOnlyInlinedPlugins`; they are asked for by the network's name.
 *
 * @throws ConfigError if libcni would refuse it
 */
export function parseNetworkList(
  path: string,
  text: string,
  more: (name: string) => readonly NetworkPlugin[] = () => [],
): NetworkList {
  const document = parseObject(path, text);
  const { name, plugins = [] } = document;
  if (typeof name !== 'string' || name === '') throw new ConfigError(path, 'name is missing');
  if (!Array.isArray(plugins)) throw new ConfigError(path, 'plugins is no list');
  const inlined = plugins.map((entry: unknown, i) => toPlugin(path, `plugins[${i}]`, entry));
  const others = isTrue(document['loadOnlyInlinedPlugins']) ? [] : more(name);
  if (inlined.length + others.length === 0) throw new ConfigError(path, 'the list has no plugin');
  return {
    path,
    name,
    cniVersion: newestVersion(document),
    disableCheck: isTrue(document['disableCheck']),
    plugins: [...inlined, ...others],
    json: text,
  };
}

/** Reads a file with a single plugin (`.conf`, `.json`), as the list that it stands for. Throws {@link ConfigError}. */
export function parseSinglePlugin(path: string, text: string): NetworkList {
  const entry = parseObject(path, text);
  const { name, cniVersion } = entry;
  if (typeof name !== 'string' || name === '') throw new ConfigError(path, 'name is missing');
  const version = typeof cniVersion === 'string' ? cniVersion : '';
  return {
    path,
    name,
    cniVersion: version,
    disableCheck: false,
    plugins: [toPlugin(path, 'the document', entry)],
    json: JSON.stringify({ cniVersion: version, name, plugins: [entry] }),
  };
}

/** Reads an entry that lies in a file of its own beside a list. Throws {@link ConfigError}. */
export function parseEntry(path: string, text: string): NetworkPlugin {
  return toPlugin(path, 'the document', parseObject(path, text));
}

function parseObject(path: string, text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(path, error instanceof Error ? error.message : String(error), { cause: error });
  }
  if (!isObject(value)) throw new ConfigError(path, 'the document is no object');
  return value;
}

function toPlugin(path: string, where: string, entry: unknown): NetworkPlugin {
  if (!isObject(entry)) throw new ConfigError(path, `${where} is no object`);
  const { type } = entry;
  if (typeof type !== 'string' || type === '') throw new ConfigError(path, `${where} has no type`);
  return { type, entry };
}

// Some write "true" for true, which libcni takes.
function isTrue(value: unknown): boolean {
  return value === true || (typeof value === 'string' && value.toLowerCase() === 'true');
}

/** The newest of `cniVersions` and `cniVersion` that is spoken here; where none is, `cniVersion` as it stands. */
function newestVersion({ cniVersion, cniVersions }: JsonObject): string {
  const one = typeof cniVersion === 'string' ? cniVersion : '';
  if (!Array.isArray(cniVersions)) return one;
  const offered: readonly unknown[] = [...cniVersions, one];
  return SUPPORTED_VERSIONS.findLast((version) => offered.includes(version)) ?? one;
}
