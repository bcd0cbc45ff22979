import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { withNetnsFd } from '../../src/sys/netns.ts';

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

const FOLDER = '/run/netns';
let count = 0;

/** A machine of its own for what is measured: a network namespace, whose containers are namespaces beside it. */
export class BenchHost {
  readonly #fd: number;
  readonly name: string;
  readonly #plugins: string;

  /** @param plugins the folder in which programs that a plugin runs are looked for */
  constructor(plugins: string) {
    this.name = `host${count++}`;
    this.#plugins = plugins;
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
    const input = JSON.stringify(call.config);
    const env = this.environment(call);
    return this.inside(() => {
      const start = process.hrtime.bigint();
      const { status, stdout, stderr } = spawnSync(call.program, [], { input, env, encoding: 'utf8' });
      const ms = Number(process.hrtime.bigint() - start) / 1e6;
      if (status !== 0) throw new Error(`${call.program} ${call.verb}: ${stdout} ${stderr}`);
      return { ms, stdout };
    });
  }

  /** Starts all calls at once; resolves with the milliseconds until the last is done. */
  async callAll(calls: readonly Call[]): Promise<number> {
    const start = process.hrtime.bigint();
    await Promise.all(calls.map((call) => this.start(call).done));
    return Number(process.hrtime.bigint() - start) / 1e6;
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
      CNI_PATH: this.#plugins,
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    };
  }

  close(): void {
    closeSync(this.#fd);
    execFileSync('ip', ['netns', 'del', this.name]);
  }
}
