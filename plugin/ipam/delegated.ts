import type { NetworkConfig } from '../../src/cni/config.ts';
import { isObject } from '../../src/cni/document.ts';
import type { Command } from '../../src/cni/environment.ts';
import {
  CniError,
  ErrInvalidEnvironmentVariables,
  ErrInvalidNetworkConfig,
  ErrIOFailure,
  ErrPluginNotAvailable,
} from '../../src/cni/error.ts';
import { decodeResult, type Result } from '../../src/cni/result.ts';
import { errorMessage } from '../../src/errors.ts';
import { parseIp, parsePrefix } from '../../src/ip/address.ts';
import { type Stats, statSync } from '../../src/sys/fs.ts';
import { type Ended, runProgram } from '../../src/sys/program.ts';
import type { PodAddress } from '../layout.ts';
import type { Ipam } from './ipam.ts';
import { assertUsable } from './usable.ts';

/** What came from the runtime, for another plugin; that gets our environment too. */
export interface Received {
  /** The whole of standard input, to be handed on unchanged. */
  readonly document: string;
  /** CNI_PATH. */
  readonly path: string;
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
  const run = (path: string, command: Command): string => ask(type, path, received.document, command);
  const find = (): string => findPlugin(type, received.path);
  return {
    routes: undefined,
    add: ({ undo, inUse }) => {
      const path = find();
      undo.register(() => run(path, 'DEL'));
      const result = resultOf(type, run(path, 'ADD'), config);
      const pods = podsOf(result);
      if (pods.length === 0) {
        throw broken(`IPAM plugin ${type} returned missing IP config: no address`);
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
  for (const folder of folders) {
    const path = `${folder}/${type}`;
    const file = tryStat(path);
    if (file?.isFile !== true) continue;
    const self = tryStat('/proc/self/exe');
    if (self !== undefined && self.dev === file.dev && self.ino === file.ino) {
      // It would ask itself for ever.
      throw new CniError(
        ErrInvalidNetworkConfig,
        `invalid network configuration: ipam.type: ${path} is plumb itself, which is no IPAM plugin`,
      );
    }
    return path;
  }
  throw new CniError(
    ErrInvalidNetworkConfig,
    `invalid network configuration: ipam.type: IPAM plugin ${type} not found in CNI_PATH ${folders.join(':')}`,
  );
}

function tryStat(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    // A folder that may not be entered, or is none: the next one may have it.
    return undefined;
  }
}

/** Runs the plugin and returns what it printed; throws its error if it failed. */
function ask(type: string, path: string, document: string, command: Command): string {
  let ended: Ended;
  try {
    ended = runProgram(path, document, { CNI_COMMAND: command });
  } catch (error) {
    throw new CniError(ErrIOFailure, `IPAM plugin ${type}: run ${path}: ${errorMessage(error)}`, '', {
      cause: error,
    });
  }
  const { status, signal, stdout } = ended;
  if (status === 0) return stdout;
  const own = status === null ? undefined : errorOf(stdout);
  if (own !== undefined) throw new CniError(own.code, `IPAM plugin ${type}: ${own.msg}`, own.details);
  const how = status === null ? `was killed by ${signal ?? 'a signal'}` : `failed with exit status ${status}`;
  throw broken(
    `IPAM plugin ${type}: ${path} ${how} in ${command} and printed no error object`,
    shown(stdout),
  );
}

/** A plugin that fails without an error object, or succeeds without a result. */
function broken(message: string, details = '', options?: ErrorOptions): CniError {
  return new CniError(104, message, details, options);
}

function errorOf(
  stdout: string,
): { readonly code: number; readonly msg: string; readonly details: string } | undefined {
  const value = parseJson(stdout);
  if (!isObject(value)) return undefined;
  const { code, msg, details } = value;
  if (typeof code !== 'number' || !Number.isInteger(code) || code <= 0 || typeof msg !== 'string')
    return undefined;
  return { code, msg, details: typeof details === 'string' ? details : '' };
}

function resultOf(type: string, stdout: string, config: NetworkConfig): Result {
  const value = parseJson(stdout);
  if (!isObject(value)) {
    throw broken(`IPAM plugin ${type} printed no result: a JSON object is needed`, shown(stdout));
  }
  try {
    // It may fill a list of interfaces, or count on ours: the addresses are for one interface anyway.
    return decodeResult(withoutInterfaces(value), config.cniVersion, 'result');
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    throw broken(`IPAM plugin ${type}: ${error.message}`, shown(stdout), {
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const MOST_SHOWN = 1000;

function shown(stdout: string): string {
  const text = stdout.trim().slice(0, MOST_SHOWN);
  return text === '' ? '' : `it printed: ${text}`;
}
