import { DEFAULT_DATA_DIR, DEFAULT_RUN_DIR } from '../../src/cni/config.ts';
import { isObject } from '../../src/cni/document.ts';
import { ConfigError, errorMessage, isErrno } from '../../src/errors.ts';
import { readdirSync, readFileSync, statSync } from '../../src/sys/fs.ts';
import {
  isPlumb,
  type NetworkList,
  type NetworkPlugin,
  parseEntry,
  parseNetworkList,
  parseSinglePlugin,
} from './network-list.ts';

/** The network configurations of a folder. */
export interface Networks {
  /** The folder. */
  readonly confDir: string;
  /** Those that can be read, in the order of their files' names, of which most runtimes take the first. */
  readonly lists: readonly NetworkList[];
  /** Those that cannot, and why. */
  readonly faults: readonly { readonly path: string; readonly message: string }[];
}

/** Reads every network configuration of a folder; of one that is not there, none. Throws {@link SyscallError}. */
export function readNetworks(confDir: string): Networks {
  const lists: NetworkList[] = [];
  const faults: { path: string; message: string }[] = [];
  for (const path of filesIn(confDir, ['.conflist', '.conf', '.json'])) {
    try {
      lists.push(readNetwork(path));
    } catch (error) {
      faults.push({ path, message: errorMessage(error) });
    }
  }
  return { confDir, lists, faults };
}

/**
 * The network of that name, as libcni finds it: lists come before single plugins. Throws {@link ConfigError} if there is
 * none.
 */
export function findNetwork({ confDir, lists, faults }: Networks, name: string): NetworkList {
  const named = lists.filter((list) => list.name === name);
  const found = named.find(({ path }) => path.endsWith('.conflist')) ?? named[0];
  if (found !== undefined) return found;
  const others = [...new Set(lists.map((list) => list.name))];
  const hints = [
    others.length === 0 ? 'there is no other' : `there are ${others.join(', ')}`,
    ...faults.map(({ message }) => `not readable: ${message}`),
  ];
  throw new ConfigError(
    confDir,
    `no network ${JSON.stringify(name)} is configured here; ${hints.join('; ')}`,
  );
}

/** Where an entry for plumb keeps what it writes. */
export interface PlumbEntry {
  readonly network: string;
  readonly runDir: string;
  /** Undefined where the addresses do not come from host-local. */
  readonly dataDir: string | undefined;
}

/** The entries for plumb. */
export function plumbEntries({ lists }: Networks): PlumbEntry[] {
  return lists.flatMap(({ name, plugins }) =>
    plugins.filter(isPlumb).map(({ entry: { runDir, ipam } }) => ({
      network: name,
      runDir: textOr(runDir, DEFAULT_RUN_DIR),
      dataDir:
        isObject(ipam) && ipam['type'] === 'host-local'
          ? textOr(ipam['dataDir'], DEFAULT_DATA_DIR)
          : undefined,
    })),
  );
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' && value !== '' ? value : otherwise;
}

function readNetwork(path: string): NetworkList {
  const text = readFileSync(path);
  if (!path.endsWith('.conflist')) return parseSinglePlugin(path, text);
  return parseNetworkList(path, text, (name) => entriesBeside(path, name));
}

/** The entries of a network in `<folder>/<name>/*.conf` (libcni 1.3). */
function entriesBeside(path: string, name: string): NetworkPlugin[] {
  // A name that leads elsewhere is no network's.
  if (name.includes('/') || name.startsWith('.')) throw new ConfigError(path, `name ${name} is not allowed`);
  const folder = `${path.slice(0, path.lastIndexOf('/'))}/${name}`;
  return filesIn(folder, ['.conf']).map((file) => parseEntry(file, readFileSync(file)));
}

function filesIn(folder: string, extensions: readonly string[]): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
  return names
    .filter((name) => extensions.some((extension) => name.endsWith(extension)))
    .sort()
    .map((name) => `${folder}/${name}`)
    .filter((path) => statSync(path)?.isDirectory !== true);
}
