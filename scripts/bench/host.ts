import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { withNetnsFd } from '../../src/sys/netns.ts';
import { compiled } from './compile.ts';

/** One call of a plugin. */
export interface Call {
  readonly program: string;
  readonly verb: string;
  readonly containerId: string;
  /** Path of the container's namespace. */
  readonly netns: string;
  readonly ifname?: string;
  readonly config: object;
}

/** A program to run. */
export interface Program {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly input: string;
}

/** What came of programs that ran at once. */
export interface Outcome {
  /** Milliseconds until the last was done. */
  readonly ms: number;
  /** What each has printed. */
  readonly printed: readonly string[];
}

const FOLDER = '/run/netns';
let count = 0;

/** A machine of its own for what is measured: a network namespace, whose containers are namespaces beside it. */
export class BenchHost {
  readonly #fd: number;
  readonly name: string;
  /** The folder in which programs that a plugin runs are looked for. */
  readonly plugins: string;

  constructor(plugins: string) {
    this.name = `host${count++}`;
    this.plugins = plugins;
    execFileSync('ip', ['netns', 'add', this.name]);
    execFileSync('ip', ['-n', this.name, 'link', 'set', 'lo', 'up']);
    this.#fd = openSync(`${FOLDER}/${this.name}`, 'r');
  }

  /** Runs `fn` in the host's namespace; what it starts stays there. */
  inside<T>(fn: () => T): T {
    return withNetnsFd(this.#fd, fn);
  }

  /** Makes a container's namespace and returns its path. */
  container(name: string): string {
    execFileSync('ip', ['netns', 'add', name]);
    return `${FOLDER}/${name}`;
  }

  removeContainer(path: string): void {
    execFileSync('ip', ['netns', 'del', path.slice(FOLDER.length + 1)]);
  }

  /** Calls a plugin and waits for it; returns the milliseconds that it took, and what it printed. */
  call(call: Call): { ms: number; stdout: string } {
    const { ms, printed } = this.callAll([call]);
    return { ms, stdout: printed[0] ?? '' };
  }

  /** Makes all calls at once; returns the milliseconds until the last is done, and what each has printed. */
  callAll(calls: readonly Call[]): Outcome {
    return this.run(
      calls.map((call) => ({
        argv: [call.program],
        env: this.environment(call),
        input: JSON.stringify(call.config),
      })),
    );
  }

  /** Runs programs at once, in the way of {@link callAll}. */
  run(programs: readonly Program[]): Outcome {
    const input = programs.flatMap(({ argv, env, input }) => {
      const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
      return [...argv, '', ...variables, '', input].map((text) => `${text}\0`);
    });
    const { status, stdout, stderr } = this.inside(() =>
      spawnSync(compiled('launch'), [], { input: input.join(''), encoding: 'latin1', maxBuffer: 2 ** 26 }),
    );
    if (status !== 0) throw new Error(`launch: ${stderr}`);
    const [nanoseconds = ''] = stdout.split('\n', 1);
    let rest = stdout.slice(nanoseconds.length + 1);
    const printed = programs.map(({ argv, env }) => {
      const [line = ''] = rest.split('\n', 1);
      const [code, length] = line.split(' ').map(Number);
      const text = rest.slice(line.length + 1, line.length + 1 + (length ?? 0));
      rest = rest.slice(line.length + 1 + text.length);
      if (code !== 0)
        throw new Error(`${argv.join(' ')} ${env['CNI_COMMAND'] ?? ''}: exit ${code} ${text} ${stderr}`);
      return text;
    });
    return { ms: Number(nanoseconds) / 1e6, printed };
  }

  /** Starts a call. */
  start(call: Call): { pid: number; done: Promise<void> } {
    const child = this.inside(() =>
      spawn(call.program, [], { env: this.environment(call), stdio: ['pipe', 'pipe', 'inherit'] }),
    );
    child.stdin?.end(JSON.stringify(call.config));
    let stdout = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    const done = new Promise<void>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (status) =>
        status === 0 ? resolve() : reject(new Error(`${call.program} ${call.verb}: ${stdout}`)),
      );
    });
    return { pid: child.pid ?? 0, done };
  }

  /** The environment of a call, with nothing of our own. */
  environment({
    verb,
    containerId,
    netns,
    ifname = 'eth0',
  }: Omit<Call, 'program' | 'config'>): Record<string, string> {
    return {
      CNI_COMMAND: verb,
      CNI_CONTAINERID: containerId,
      CNI_NETNS: netns,
      CNI_IFNAME: ifname,
      CNI_PATH: this.plugins,
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    };
  }

  close(): void {
    closeSync(this.#fd);
    execFileSync('ip', ['netns', 'del', this.name]);
  }
}
