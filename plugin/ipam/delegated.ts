import type { NetworkConfig } from '../../src/cni/config.ts';
import { isObject } from '../../src/cni/document.ts';
import type { Command } from '../../src/cni/environment.ts';
import {
  CniError,
  ErrInvalidEnvironmentVariables,
  ErrInvalidNetworkConfig,
  ErrPluginNotAvailable,
} from '../../src/cni/error.ts';
import { decodeResult, type Result } from '../../src/cni/result.ts';
import { parseIp, parsePrefix } from '../../src/ip/address.ts';
import { firstFile, statOrNothing } from '../../src/sys/find-file.ts';
import type { PodAddress } from '../layout.ts';
import { brokenPlugin, parseJson, runPlugin, shownOutput } from '../other-plugin.ts';
import type { Ipam } from './ipam.ts';
import { assertUsable } from './usable.ts';

/** What came from the runtime, for another plugin; that gets our environment too. */
export interface Received {
  /** The whole of standard input, to be handed on unchanged. */
  readonly document: string;
  /** CNI_PATH. */
  readonly path: string;
  /** Variables that it gets beside our environment, where that is not a runtime's. */
  readonly variables?: Readonly<Record<string, string>>;
}

/**
 * Any other `ipam.type`: the plugin of that name in CNI_PATH, which gets each command with the very configuration and
 * environment that came from the runtime. Its errors reach the runtime with their codes. An ADD of its that fails, or
 * that cannot be made use of, is followed by its DEL (specification, section 4).
 *
 * All methods throw {@link CniError}: the plugin's own; 4 without CNI_PATH; 7 when the plugin is not there (50 in
 * STATUS); 5 when it cannot be run; 104 when it breaks the protocol.
 */
export function delegated(config: NetworkConfig, type: string, received: Received): Ipam {
  const who = `IPAM plugin ${type}`;
  const run = (path: string, command: Command): string =>
    runPlugin(who, path, received.document, { ...received.variables, CNI_COMMAND: command });
  const find = (): string => findPlugin(type, received.path);
  return {
    routes: undefined,
    add: ({ undo, inUse }) => {
      const path = find();
      undo.register(() => run(path, 'DEL'));
      const result = resultOf(type, run(path, 'ADD'), config);
      const pods = podsOf(result);
      if (pods.length === 0) {
        throw brokenPlugin(`IPAM plugin ${type} returned missing IP config: no address`);
      }
      assertUsable(pods, config.cniVersion, inUse);
      return { pods, routes: result.routes, dns: result.dns };
    },
    del: () => {
      run(find(), 'DEL');
    },
    check: () => {
      run(find(), 'CHECK');
      return [];
    },
    owners: () => [],
    gc: () => {
      run(find(), 'GC');
    },
    status: () => {
      let path: string;
      try {
        path = find();
      } catch (error) {
        if (!(error instanceof CniError)) throw error;
        throw new CniError(ErrPluginNotAvailable, error.message, error.details, { cause: error });
      }
      run(path, 'STATUS');
    },
  };
}

/** The first regular file of that name in the folders of CNI_PATH. */
function findPlugin(type: string, cniPath: string): string {
  const folders = cniPath.split(':').filter((folder) => folder !== '');
  if (folders.length === 0) {
    throw new CniError(
      ErrInvalidEnvironmentVariables,
      `invalid environment: CNI_PATH is missing: required to find IPAM plugin ${type}`,
    );
  }
  const found = firstFile(folders, type);
  if (found === undefined) {
    throw new CniError(
      ErrInvalidNetworkConfig,
      `invalid network configuration: ipam.type: IPAM plugin ${type} not found in CNI_PATH ${folders.join(':')}`,
    );
  }
  const { path, file } = found;
  const self = statOrNothing('/proc/self/exe');
  if (self !== undefined && self.dev === file.dev && self.ino === file.ino) {
    // It would ask itself for ever.
    throw new CniError(
      ErrInvalidNetworkConfig,
      `invalid network configuration: ipam.type: ${path} is plumb itself, which is no IPAM plugin`,
    );
  }
  return path;
}

function resultOf(type: string, stdout: string, config: NetworkConfig): Result {
  const value = parseJson(stdout);
  if (!isObject(value)) {
    throw brokenPlugin(`IPAM plugin ${type} printed no result: a JSON object is needed`, shownOutput(stdout));
  }
  try {
    // It may fill a list of interfaces, or count on ours: the addresses are for one interface anyway.
    return decodeResult(withoutInterfaces(value), config.cniVersion, 'result');
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    throw brokenPlugin(`IPAM plugin ${type}: ${error.message}`, shownOutput(stdout), {
      cause: error,
    });
  }
}

function withoutInterfaces(result: Record<string, unknown>): Record<string, unknown> {
  const { interfaces: _, ips, ...rest } = result;
  if (!Array.isArray(ips)) return { ...rest, ips };
  return {
    ...rest,
    ips: ips.map((ip: unknown) => (isObject(ip) ? { ...ip, interface: undefined } : ip)),
  };
}

function podsOf(result: Result): PodAddress[] {
  return result.ips.flatMap((ip) => {
    const address = parsePrefix(ip.address);
    return address === undefined ? [] : [{ address, gateway: parseIp(ip.gateway ?? '') }];
  });
}
