import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { withNetnsFd } from '../../src/sys/netns.ts';

let count = 0;

/** Runs a command and returns its output. */
export function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** A throwaway network namespace. */
export interface Netns {
  readonly name: string;
  readonly path: string;
  readonly fd: number;
  /** Runs `ip ...` inside. */
  ip(...args: string[]): string;
  /** Runs `fn` inside, on this thread. */
  inside<T>(fn: () => T): T;
  remove(): void;
}

/** Makes a network namespace; `remove()` takes it away again. */
export function makeNetns(): Netns {
  const name = `pt${process.pid}-${count++}`;
  run('ip', 'netns', 'add', name);
  const path = `/run/netns/${name}`;
  const fd = openSync(path, 'r');
  return {
    name,
    path,
    fd,
    ip: (...args) => run('ip', '-n', name, ...args),
    inside: (fn) => withNetnsFd(fd, fn),
    remove: () => {
      closeSync(fd);
      run('ip', 'netns', 'del', name);
    },
  };
}
