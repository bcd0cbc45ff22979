import { type NetworkConfig, parseNetworkConfig } from '../src/cni/config.ts';
import { type Command, type Environment, parseEnvironment } from '../src/cni/environment.ts';
import { CniError, encodeError } from '../src/cni/error.ts';
import { encodeResult } from '../src/cni/result.ts';
import { atLeast, type CniVersion, isSupported, SUPPORTED_VERSIONS } from '../src/cni/versions.ts';
import { Elsewhere } from '../src/elsewhere.ts';
import { add } from './add.ts';
import { check } from './check.ts';
import { toCniError } from './cni-error.ts';
import { del } from './del.ts';
import { gc } from './gc.ts';
import type { Received } from './ipam/delegated.ts';
import { openIpam } from './ipam/open.ts';
import { logged } from './log.ts';
import { isLoopback, loopback } from './loopback.ts';
import { status } from './status.ts';
import type { Undo } from './undo.ts';

/** What the process has to print and how it ends; `undo` takes an ADD back if its result cannot be written. */
export interface Reply {
  readonly stdout: string;
  readonly exitCode: number;
  readonly undo?: Undo;
}

const NEWEST: CniVersion = '1.1.0';
/** The first version that has the command; those that are not here have always been. */
const SINCE: Readonly<Record<string, CniVersion>> = { CHECK: '0.4.0', GC: '1.1.0', STATUS: '1.1.0' };

/** Answers one call of a runtime, under the name that it called us by. Throws {@link Elsewhere} and nothing else. */
export function dispatch(
  readEnvironment: () => Readonly<Record<string, string | undefined>>,
  readStdin: () => string,
  readProgramName: () => string,
): Reply {
  let cniVersion: string = NEWEST;
  try {
    const environment = readEnvironment();
    const env = parseEnvironment(environment, true);
    const text = readStdin();
    if (env.command === 'VERSION') return { stdout: versionReply(text), exitCode: 0 };
    cniVersion = statedVersion(text) ?? NEWEST;
    const config = parseNetworkConfig(text, env.command);
    assertSpoken(env.command, config.cniVersion);
    if (isLoopback(readProgramName, config)) return { stdout: loopback(env, config), exitCode: 0 };
    // The name that is let through for loopback is refused to everybody else.
    if (env.ifname === 'lo') parseEnvironment(environment);
    const run = (): Reply => runCommand(env, config, { document: text, path: env.path });
    return config.log === undefined ? run() : logged(config.log, env, config.name, run);
  } catch (error) {
    if (error instanceof Elsewhere) throw error;
    return { stdout: encodeError(toCniError(error), cniVersion), exitCode: 1 };
  }
}

function assertSpoken(command: Command, version: CniVersion): void {
  const since = SINCE[command];
  if (since !== undefined && !atLeast(version, since)) {
    throw new CniError(1, `${command} needs cniVersion ${since} or later, the configuration says ${version}`);
  }
}

function runCommand(env: Environment, config: NetworkConfig, received: Received): Reply {
  const ipam = openIpam(config, received);
  switch (env.command) {
    case 'ADD': {
      const { result, undo } = add(env, config, ipam);
      return { stdout: encodeResult(result, config.cniVersion), exitCode: 0, undo };
    }
    case 'DEL':
      del(env, config, ipam);
      return { stdout: '', exitCode: 0 };
    case 'CHECK':
      check(env, config, ipam);
      return { stdout: '', exitCode: 0 };
    case 'GC':
      gc(config, ipam);
      return { stdout: '', exitCode: 0 };
    case 'STATUS':
      status(config, ipam);
      return { stdout: '', exitCode: 0 };
    case 'VERSION':
      throw new Error('answered before the configuration is read');
  }
}

function versionReply(text: string): string {
  // Clients probe with anything from nothing to a whole configuration: none of it is a reason not to answer.
  const cniVersion = statedVersion(text) ?? NEWEST;
  return `${JSON.stringify({ cniVersion, supportedVersions: SUPPORTED_VERSIONS })}\n`;
}

function statedVersion(text: string): CniVersion | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('cniVersion' in value)) return undefined;
    return typeof value.cniVersion === 'string' && isSupported(value.cniVersion)
      ? value.cniVersion
      : undefined;
  } catch {
    return undefined;
  }
}
