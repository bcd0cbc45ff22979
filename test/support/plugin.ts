import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'vitest';

/** The two executables that are shipped. */
export const EXECUTABLES = ['plumb', 'plumb-node'] as const;

/**
 * The one that is installed, and with PLUMB_EVERYTHING=1 both: for what does not depend on the runtime inside, as both
 * are one program.
 */
export const INSTALLED: readonly (typeof EXECUTABLES)[number][] = isEverything() ? EXECUTABLES : ['plumb'];

/** Whether nothing is to be left out, as before a release: PLUMB_EVERYTHING=1. */
export function isEverything(): boolean {
  return process.env['PLUMB_EVERYTHING'] === '1';
}

/** How often a test repeats what a report from the field did `count` times: a quarter of that, or all with PLUMB_EVERYTHING=1. */
export function repetitions(count: number): number {
  return isEverything() ? count : Math.ceil(count / 4);
}

/** Path of an executable in dist/. */
export function executable(name: string): string {
  return join(import.meta.dirname, '../../dist', name);
}

/** One call of the plugin as a runtime makes it. */
export interface Call {
  readonly command: string;
  readonly containerId?: string;
  readonly netns?: string;
  readonly ifname?: string;
  readonly args?: string;
  /** Other environment variables; the plugin gets nothing from the test's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** CNI_PATH; '' for none. */
  readonly path?: string;
  readonly cwd?: string;
  readonly stdin: unknown;
}

/** What came back. */
export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Calls the executable with the CNI protocol. */
export function callPlugin(name: string, call: Call): Outcome {
  const { status, stdout, stderr } = spawnSync(fileOf(name), [], {
    cwd: call.cwd ?? '/',
    encoding: 'utf8',
    env: variables(call),
    input: inputOf(call),
  });
  return { status, stdout, stderr };
}

/** Like {@link callPlugin}, but goes on meanwhile, so that many calls can be made at once. */
export function startPlugin(name: string, call: Call): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(fileOf(name), [], { cwd: call.cwd ?? '/', env: variables(call) });
    const output = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => (output[stream] += text));
    }
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, ...output }));
    // A process that answers without reading its input is no failure of the test's.
    child.stdin.on('error', () => undefined).end(inputOf(call));
  });
}

function fileOf(name: string): string {
  return name.includes('/') ? name : executable(name);
}

function inputOf({ stdin }: Call): string {
  return typeof stdin === 'string' ? stdin : JSON.stringify(stdin);
}

function variables(call: Call): Record<string, string> {
  return {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    ...call.env,
    CNI_COMMAND: call.command,
    CNI_CONTAINERID: call.containerId ?? 'c1',
    CNI_NETNS: call.netns ?? '',
    CNI_IFNAME: call.ifname ?? 'eth0',
    CNI_ARGS: call.args ?? '',
    CNI_PATH: call.path ?? '/usr/lib/cni',
  };
}

/** The result of an ADD, which must have worked without a word on standard error. */
export function resultOf(outcome: Outcome) {
  expect(outcome).toMatchObject({ status: 0, stderr: '' });
  return JSON.parse(outcome.stdout);
}

/** Expects a call to have worked without a word. */
export function expectDone(outcome: Outcome): void {
  expect(outcome).toEqual({ status: 0, stdout: '', stderr: '' });
}
