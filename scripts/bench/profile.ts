import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { BenchHost } from './host.ts';
import { summarize } from './statistics.ts';
import { plainConfig, type Subject } from './subjects.ts';

// The kernel's tracer sees each system call of a process for less than a microsecond; strace(1) would cost ten times
// what is measured.
const TRACEFS = '/run/tracefs';
const INSTANCE = `${TRACEFS}/instances/plumb-bench`;

// x86-64: <asm/unistd_64.h>
const SYSCALLS: Readonly<Record<number, string>> = {
  0: 'read',
  1: 'write',
  41: 'socket',
  44: 'sendto',
  45: 'recvfrom',
  49: 'bind',
  54: 'setsockopt',
  73: 'flock',
  82: 'rename',
  86: 'link',
  87: 'unlink',
  88: 'symlink',
  89: 'readlink',
  231: 'exit_group',
  257: 'openat',
  280: 'utimensat',
  308: 'setns',
  332: 'statx',
  2: 'open',
  3: 'close',
  83: 'mkdir',
};
const FILES = new Set([
  'openat',
  'open',
  'read',
  'write',
  'close',
  'rename',
  'link',
  'unlink',
  'symlink',
  'readlink',
  'utimensat',
  'statx',
  'flock',
  'mkdir',
]);
const NETLINK = new Set(['socket', 'bind', 'setsockopt', 'sendto', 'recvfrom', 'setns']);

/** Milliseconds of one ADD, by what they were spent on. */
export type Profile = Readonly<Record<(typeof STAGES)[number], number>>;

/** In the order of an ADD. */
export const STAGES = [
  'start of the runtime and loading',
  'reading the request',
  'own code',
  'netlink, in the kernel',
  'files, in the kernel',
  'exit',
] as const;

interface Event {
  readonly pid: number;
  readonly ms: number;
  readonly name: string;
  readonly rest: string;
}

/** Where the time of an ADD goes, the medians of some calls; undefined where the kernel's tracer is not to be had. */
export function profileAdd(subject: Subject, plugins: string, rounds: number): Profile | undefined {
  if (!prepareTracer()) return undefined;
  const host = new BenchHost(plugins);
  const profiles: Record<string, number>[] = [];
  for (let round = 0; round <= rounds; round++) {
    const containerId = `${subject.name}-profile-${round}`;
    const netns = host.container(containerId);
    const trace = host.inside(() => traceCall(host, subject, containerId, netns));
    host.call({
      program: subject.program,
      verb: 'DEL',
      containerId,
      netns,
      config: plainConfig(subject.type),
    });
    host.removeContainer(netns);
    if (round > 0) profiles.push(stagesOf(trace));
  }
  host.close();
  rmdirSync(INSTANCE);
  const medians = STAGES.map((stage) => [stage, summarize(profiles.map((p) => p[stage] ?? 0)).median]);
  return Object.fromEntries(medians);
}

function prepareTracer(): boolean {
  mkdirSync(TRACEFS, { recursive: true });
  if (!existsSync(`${TRACEFS}/events`)) {
    if (spawnSync('mount', ['-t', 'tracefs', 'tracefs', TRACEFS]).status !== 0) return false;
  }
  mkdirSync(INSTANCE, { recursive: true });
  writeFileSync(`${INSTANCE}/trace_clock`, 'mono');
  for (const event of ['raw_syscalls', 'sched/sched_process_exec', 'sched/sched_process_exit']) {
    writeFileSync(`${INSTANCE}/events/${event}/enable`, '1');
  }
  return true;
}

function traceCall(host: BenchHost, { program, type }: Subject, containerId: string, netns: string): Event[] {
  writeFileSync(`${INSTANCE}/trace`, '');
  // The shell puts itself on the list, and the plugin takes its place.
  const script = `echo $$ > ${INSTANCE}/set_event_pid; exec ${program}`;
  const env = host.environment({ verb: 'ADD', containerId, netns });
  execFileSync('sh', ['-c', script], { env, input: JSON.stringify(plainConfig(type)) });
  const lines = readFileSync(`${INSTANCE}/trace`, 'utf8').split('\n');
  writeFileSync(`${INSTANCE}/set_event_pid`, '');
  return lines.flatMap((line) => {
    const [, pid, seconds, name, rest] = /-(\d+) +\[\d+\] \S+ +([\d.]+): (\w+): (.*)/.exec(line) ?? [];
    if (name === undefined || rest === undefined) return [];
    return [{ pid: Number(pid), ms: Number(seconds) * 1000, name, rest }];
  });
}

/** Sorts a main thread's time: into the kernel's share of each kind of call, and what lies between the calls. */
function stagesOf(trace: readonly Event[]): Record<string, number> {
  const exec = trace.findLast(({ name }) => name === 'sched_process_exec');
  if (exec === undefined) throw new Error('the tracer missed the start');
  const events = trace.filter(({ pid, ms }) => pid === exec.pid && ms >= exec.ms);
  const spent: Record<string, number> = Object.fromEntries(STAGES.map((stage) => [stage, 0]));
  const book = (stage: (typeof STAGES)[number], ms: number): void => {
    spent[stage] = (spent[stage] ?? 0) + ms;
  };
  // The first thing that is the program's own is to read the request, from descriptor 0.
  const first = events.findIndex(({ name, rest }) => name === 'sys_enter' && /^NR 0 \(0,/.test(rest));
  const last = events.findLastIndex(({ name, rest }) => name === 'sys_enter' && rest.startsWith('NR 231 '));
  const start = events[first]?.ms ?? exec.ms;
  const end = events[last]?.ms ?? start;
  book('start of the runtime and loading', start - exec.ms);
  let before = start;
  let isInput = true;
  for (const [i, { name, ms, rest }] of events.entries()) {
    if (i < first || i >= last || name !== 'sys_enter') continue;
    const returned = events[i + 1]?.ms ?? ms;
    const call = SYSCALLS[Number(/^NR (\d+)/.exec(rest)?.[1])] ?? '';
    if (isInput && !/^NR 0 \(0,/.test(rest)) isInput = false;
    book(isInput ? 'reading the request' : 'own code', ms - before);
    if (isInput) book('reading the request', returned - ms);
    else if (NETLINK.has(call)) book('netlink, in the kernel', returned - ms);
    else if (FILES.has(call)) book('files, in the kernel', returned - ms);
    else book('own code', returned - ms);
    before = returned;
  }
  book('own code', end - before);
  book('exit', (events.at(-1)?.ms ?? end) - end);
  return spent;
}
