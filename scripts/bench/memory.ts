import { mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as libc from '../../src/sys/libc.ts';
import { BenchHost } from './host.ts';
import { plainConfig, type Subject } from './subjects.ts';

/** Kilobytes of a process and what it has started. */
export interface Memory {
  /** Proportional share of all pages, the mean of all processes' (PSS). */
  readonly pssKb: number;
  /** The most that was resident at any time, of one call alone (VmHWM). */
  readonly peakKb: number;
}

/**
 * Memory of one ADD alone, and of many at once. All are held at the same point, waiting for the lock on the leases, as
 * they are in the middle of an ADD.
 */
export async function measureMemory(subject: Subject, plugins: string, many: number): Promise<Memory> {
  const host = new BenchHost(plugins);
  const config = plainConfig(subject.type);
  const { program, type } = subject;
  const containers = Array.from({ length: many }, (_, i) => host.container(`memory-${subject.name}-${i}`));
  const calls = containers.map((netns, i) => ({
    program,
    containerId: `${subject.name}-m${i}`,
    netns,
    config,
  }));
  mkdirSync(`/run/leases/bench-${type}`, { recursive: true });
  const lock = openSync(`/run/leases/bench-${type}/lock`, 'w');
  const held = async (some: typeof calls): Promise<number[]> => {
    libc.flock(lock, libc.LOCK_EX);
    const started = some.map((call) => host.start({ ...call, verb: 'ADD' }));
    await sleep(500 + 50 * some.length);
    const pids = started.map(({ pid }) => pid);
    const values = [
      started.reduce(
        (sum, { pid }) => sum + family(pid).reduce((s, p) => s + field(p, 'smaps_rollup', 'Pss'), 0),
        0,
      ),
      family(pids[0] ?? 0).reduce((sum, pid) => sum + field(pid, 'status', 'VmHWM'), 0),
    ];
    libc.flock(lock, libc.LOCK_UN);
    await Promise.all(started.map(({ done }) => done));
    host.callAll(some.map((call) => ({ ...call, verb: 'DEL' })));
    return values;
  };
  const [, peakKb = Number.NaN] = await held(calls.slice(0, 1));
  const [pss = Number.NaN] = await held(calls);
  for (const path of containers) host.removeContainer(path);
  host.close();
  return { pssKb: pss / many, peakKb };
}

/** A process and its descendants. */
function family(pid: number): number[] {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const children = tasks.flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(family)];
}

function field(pid: number, file: string, name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'));
  return Number(match?.[1]);
}
