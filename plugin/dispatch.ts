import { type NetworkConfig, parseNetworkConfig } from '../src/cni/config.ts';
import { type Environment, parseEnvironment } from '../src/cni/environment.ts';
import { CniError, encodeError } from '../src/cni/error.ts';
import { encodeResult } from '../src/cni/result.ts';
import { atLeast, type CniVersion, isSupported, SUPPORTED_VERSIONS } from '../src/cni/versions.ts';
import { add } from './add.ts';
import { check } from './check.ts';
import { toCniError } from './cni-error.ts';
import { del } from './del.ts';
import { gc } from './gc.ts';
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

/** Answers one call of a runtime. Never throws. */
export function dispatch(
  readEnvironment: () => Readonly<Record<string, string | undefined>>,
  readStdin: () => string,
): Reply {
  let cniVersion: string = NEWEST;
  try {
    const env = parseEnvironment(readEnvironment());
    const text = readStdin();
    if (env.command === 'VERSION') return { stdout: versionReply(text), exitCode: 0 };
    cniVersion = statedVersion(text) ?? NEWEST;
    const config = parseNetworkConfig(text, env.command);
    return runCommand(env, config);
  } catch (error) {
    return { stdout: encodeError(toCniError(error), cniVersion), exitCode: 1 };
  }
}

function runCommand(env: Environment, config: NetworkConfig): Reply {
  const since = SINCE[env.command];
  if (since !== undefined && !atLeast(config.cniVersion, since)) {
    throw new CniError(
      1,
      `${env.command} needs cniVersion ${since} or later, the configuration says ${config.cniVersion}`,
    );
  }
  switch (env.command) {
    case 'ADD': {
      const { result, undo } = add(env, config);
      return { stdout: encodeResult(result, config.cniVersion), exitCode: 0, undo };
    }
    case 'DEL':
      del(env, config);
      return { stdout: '', exitCode: 0 };
    case 'CHECK':
      check(env, config);
      return { stdout: '', exitCode: 0 };
    case 'GC':
      gc(config);
      return { stdout: '', exitCode: 0 };
    case 'STATUS':
      status(config);
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
