import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { REFERENCE } from './shared.ts';

/** What a plugin of {@link DelegateFolder.script} was called with. */
export interface Recorded {
  readonly command: string;
  readonly stdin: string;
  readonly environment: Readonly<Record<string, string>>;
  /** The network namespace that it ran in. */
  readonly netns: string;
}

/** A folder for CNI_PATH, with IPAM plugins that tests make. */
export class DelegateFolder {
  readonly path: string;
  readonly #log: string;

  constructor(path: string) {
    this.path = path;
    this.#log = `${path}/.log`;
    mkdirSync(this.#log, { recursive: true });
  }

  /** A shell script that records each call, and then goes on with `body`, where `$CNI_COMMAND` says what is wanted. */
  script(name: string, body: string): void {
    const record = [
      '#!/bin/sh',
      `n=${this.#log}/$(ls ${this.#log} | wc -l)`,
      'mkdir -p "$n"',
      'cp /proc/self/environ "$n/environ"',
      'readlink /proc/self/ns/net > "$n/netns"',
      'cat > "$n/stdin"',
    ];
    writeFileSync(`${this.path}/${name}`, [...record, body, ''].join('\n'), { mode: 0o755 });
  }

  /** A script that answers ADD with `result` and everything else with nothing. */
  answering(name: string, result: unknown): void {
    this.script(name, `[ $CNI_COMMAND != ADD ] || cat <<'EOF'\n${JSON.stringify(result)}\nEOF\nexit 0`);
  }

  /** A script that fails at `command` as `body` says, and otherwise answers like {@link DelegateFolder.answering}. */
  failing(name: string, command: string, body: string, result: unknown = {}): void {
    const answer = `[ $CNI_COMMAND != ADD ] || echo '${JSON.stringify(result)}'`;
    this.script(name, `if [ $CNI_COMMAND = ${command} ]; then\n${body}\nfi\n${answer}\nexit 0`);
  }

  /** A program under another name. */
  link(name: string, target: string): void {
    rmSync(`${this.path}/${name}`, { force: true });
    symlinkSync(target, `${this.path}/${name}`);
  }

  /** All calls so far, in order. */
  calls(): Recorded[] {
    const folders = readdirSync(this.#log).toSorted((a, b) => Number(a) - Number(b));
    return folders.map((folder) => {
      const text = (file: string): string => readFileSync(`${this.#log}/${folder}/${file}`, 'utf8');
      const environment = Object.fromEntries(
        text('environ')
          .split('\0')
          .filter((entry) => entry.includes('='))
          .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
      );
      const command = environment['CNI_COMMAND'] ?? '';
      return { command, stdin: text('stdin'), environment, netns: text('netns').trim() };
    });
  }

  /** Forgets all calls. */
  forget(): void {
    rmSync(this.#log, { recursive: true });
    mkdirSync(this.#log);
  }
}

/** Path of a reference plugin and the versions that it speaks; undefined where it is not installed. */
export function reference(
  name: string,
): { readonly path: string; readonly versions: readonly string[] } | undefined {
  const path = `${REFERENCE}/${name}`;
  if (!existsSync(path)) {
    console.warn(`skipped: there is no ${path}`);
    return undefined;
  }
  const { stdout } = spawnSync(path, { env: { CNI_COMMAND: 'VERSION' }, input: '{}', encoding: 'utf8' });
  return { path, versions: JSON.parse(stdout).supportedVersions };
}
