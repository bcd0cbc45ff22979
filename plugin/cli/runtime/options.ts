import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { isObject, type JsonObject } from '../../../src/cni/document.ts';
import { ConfigError, errorMessage } from '../../../src/errors.ts';
import { readEnvironment } from '../../../src/sys/environment.ts';
import { type BinDirOption, binDirsOf, withBinDir } from '../bin-dir.ts';
import { type ConfDirOption, confDirOf, withConfDir } from '../conf-dir.ts';
import { findNetwork, readNetworks } from '../networks.ts';
import type { RuntimeRequest } from './request.ts';

// As cnitool has them, in variables of the same names.
const DEFAULT_IFNAME = 'eth0';
const DEFAULT_CACHE_DIR = '/var/lib/cni';

/** Gives a command the options that say what plugins are called with. */
export function withRuntime(command: Command): Command {
  return withBinDir(withConfDir(command))
    .option('--id <id>', 'container id (default: made of the path of the namespace, as cnitool does)')
    .option(
      '-i, --ifname <name>',
      `interface in the container (default: $CNI_IFNAME, else ${DEFAULT_IFNAME})`,
    )
    .option('--args <args>', 'KEY=VALUE;… for the plugins (default: $CNI_ARGS)')
    .option(
      '--capability-args <json>',
      'an object with what there is for each capability (default: $CAP_ARGS)',
    )
    .option('--cache-dir <dir>', 'folder of what libcni keeps between ADD and DEL', DEFAULT_CACHE_DIR);
}

/** What {@link withRuntime} was given. */
export interface RuntimeOptions extends ConfDirOption, BinDirOption {
  readonly id?: string;
  readonly ifname?: string;
  readonly args?: string;
  readonly capabilityArgs?: string;
  readonly cacheDir: string;
}

/** Makes the request of arguments, options and environment. Throws {@link ConfigError}. */
export function runtimeRequest(network: string, netns: string, options: RuntimeOptions): RuntimeRequest {
  const environment = readEnvironment();
  const path = resolve(netns);
  return {
    network: findNetwork(readNetworks(confDirOf(options)), network),
    netns: path,
    containerId: options.id ?? idOf(path),
    ifname: options.ifname ?? (environment['CNI_IFNAME'] || DEFAULT_IFNAME),
    args: parseArgs(options.args ?? environment['CNI_ARGS'] ?? ''),
    capabilityArgs: parseCapabilityArgs(options.capabilityArgs ?? environment['CAP_ARGS'] ?? ''),
    binDirs: binDirsOf(options),
    cacheDir: resolve(options.cacheDir),
  };
}

/** cnitool's id of a container that has none: 10 bytes of the SHA-512 of the path. */
function idOf(netns: string): string {
  return `cnitool-${createHash('sha512').update(netns).digest('hex').slice(0, 20)}`;
}

function parseArgs(text: string): [key: string, value: string][] {
  if (text === '') return [];
  return text.split(';').map((pair) => {
    const [key = '', value = '', ...rest] = pair.split('=');
    if (key === '' || value === '' || rest.length > 0)
      throw new ConfigError('--args', `${JSON.stringify(pair)} is not KEY=VALUE`);
    return [key, value];
  });
}

function parseCapabilityArgs(text: string): JsonObject {
  if (text === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ConfigError('--capability-args', errorMessage(error), { cause: error });
  }
  if (!isObject(value)) throw new ConfigError('--capability-args', 'must be a JSON object');
  return value;
}
