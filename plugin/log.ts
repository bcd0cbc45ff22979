import type { NetworkConfig } from '../src/cni/config.ts';
import type { Environment } from '../src/cni/environment.ts';
import { Elsewhere } from '../src/elsewhere.ts';
import { errorMessage } from '../src/errors.ts';
import { writeSync } from '../src/sys/fs.ts';
import { Severity, writeLogLine } from '../src/sys/log-target.ts';
import { toCniError } from './cni-error.ts';
import type { Reply } from './dispatch.ts';
import { stepsDone } from './steps.ts';

type Log = NonNullable<NetworkConfig['log']>;

/** Answers a call by `answer` and logs it. What `answer` throws is passed on; a log that fails is only told on standard error. */
export function logged(log: Log, env: Environment, network: string, answer: () => Reply): Reply {
  try {
    const reply = answer();
    if (log.level === 'info') write(log, 'info', env, network, { made: madeBy(reply) });
    return reply;
  } catch (error) {
    if (error instanceof Elsewhere) throw error;
    const { code, message: msg } = toCniError(error);
    write(log, 'error', env, network, { error: { code, msg } });
    throw error;
  }
}

function write(
  { target }: Log,
  level: keyof typeof Severity,
  { command, containerId, ifname, netns }: Environment,
  network: string,
  outcome: object,
): void {
  const about = { command, network, containerId, ifname, netns };
  const took = { ms: round(performance.now()), steps: rounded(stepsDone()) };
  const text = JSON.stringify({ time: new Date().toISOString(), level, ...about, ...took, ...outcome });
  try {
    writeLogLine(target, { severity: Severity[level], text });
  } catch (error) {
    complain(`plumb: log ${target}: ${errorMessage(error)}\n`);
  }
}

function complain(text: string): void {
  try {
    writeSync(2, text, 'standard error');
  } catch {
    // There is nobody left to tell.
  }
}

function rounded(steps: ReturnType<typeof stepsDone>): Record<string, number> {
  return Object.fromEntries(steps.map(({ name, ms }) => [name, round(ms)]));
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}

/** Names and addresses out of an ADD's result; undefined, and so left out of the line, for other commands. */
function madeBy({ stdout }: Reply): object | undefined {
  if (stdout === '') return undefined;
  const result: {
    readonly interfaces?: readonly { readonly name: string }[];
    readonly ips?: readonly { readonly address: string }[];
  } = JSON.parse(stdout);
  return {
    interfaces: result.interfaces?.map(({ name }) => name),
    ips: result.ips?.map(({ address }) => address),
  };
}
