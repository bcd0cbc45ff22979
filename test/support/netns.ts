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

/** Many throwaway network namespaces, which are made and removed by one command each. */
export interface ManyNetns {
  path(index: number): string;
  /** Addresses with their prefix length, but for those of link scope, in the order of the kernel's list. */
  addresses(index: number): string[];
  remove(): void;
}

/** Makes `size` network namespaces; `remove()` takes them away again. */
export function makeManyNetns(size: number): ManyNetns {
  const base = `pt${process.pid}-${count++}`;
  const batch = (verb: string): void => {
    const input = Array.from({ length: size }, (_, i) => `netns ${verb} ${base}-${i}\n`).join('');
    execFileSync('ip', ['-batch', '-'], { input, stdio: ['pipe', 'ignore', 'inherit'] });
  };
  batch('add');
  return {
    path: (index) => `/run/netns/${base}-${index}`,
    addresses: (index) =>
      run('ip', '-n', `${base}-${index}`, '-o', 'addr', 'show', 'scope', 'global')
        .split('\n')
        .flatMap((line) => /inet6? (\S+)/.exec(line)?.[1] ?? []),
    remove: () => batch('del'),
  };
}
