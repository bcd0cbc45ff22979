import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { test as base, expect } from 'vitest';
import { executable, type Outcome } from './plugin.ts';

// A host of its own for every test, a network namespace and a folder, so that tests run side by side.

const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
let count = 0;

/** Runs a program to its end. */
export async function exec(
  argv: readonly string[],
  options: { readonly input?: string; readonly env?: Record<string, string> } = {},
): Promise<Outcome> {
  return outcomeOf(start(argv, options));
}

/** Starts a program, its input already given. */
export function start(
  [command = '', ...args]: readonly string[],
  options: {
    readonly input?: string;
    readonly env?: Record<string, string>;
    /** Makes it the leader of a group of processes. */
    readonly detached?: boolean;
  } = {},
): ChildProcess {
  const { env = { PATH }, detached = false } = options;
  const child = spawn(command, args, { cwd: '/', env, detached });
  // EPIPE: the program did not wait for it, or was killed.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  return child;
}

/** Waits for the end of a process that was just started. */
export async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  const texts: [Buffer[], Buffer[]] = [[], []];
  child.stdout?.on('data', (data: Buffer) => texts[0].push(data));
  child.stderr?.on('data', (data: Buffer) => texts[1].push(data));
  const [status]: (number | null)[] = await once(child, 'close');
  const [stdout = '', stderr = ''] = texts.map((chunks) => Buffer.concat(chunks).toString());
  return { status: status ?? null, stdout, stderr };
}

async function must(argv: readonly string[], input?: string): Promise<string> {
  const { status, stdout, stderr } = await exec(argv, input === undefined ? {} : { input });
  if (status !== 0) throw new Error(`${argv.join(' ')}: exit ${status}: ${stderr}${stdout}`);
  return stdout;
}

/** A network namespace. */
export class Namespace {
  readonly name: string;
  readonly path: string;

  constructor(name: string) {
    this.name = name;
    this.path = `/run/netns/${name}`;
  }

  static async make(): Promise<Namespace> {
    const space = new Namespace(`ht${process.pid}-${count++}`);
    await must(['ip', 'netns', 'add', space.name]);
    await space.ip('link', 'set', 'lo', 'up');
    return space;
  }

  /** What to put before a command, for it to run in here. */
  get enter(): string[] {
    return ['nsenter', `--net=${this.path}`, '--'];
  }

  /** Runs a command in here, which must succeed; returns its output. */
  run(...argv: string[]): Promise<string> {
    return must([...this.enter, ...argv]);
  }

  /** Runs a shell script in here, which must succeed; returns its output. */
  sh(script: string): Promise<string> {
    return this.run('sh', '-euc', script);
  }

  /** Runs `ip ...` in here. */
  ip(...args: string[]): Promise<string> {
    return must(['ip', '-n', this.name, ...args]);
  }

  /** Names of the links in here. */
  async links(): Promise<string[]> {
    const links: { ifname: string }[] = JSON.parse(await this.ip('-j', 'link'));
    return links.map(({ ifname }) => ifname);
  }

  /** Whether an address answers to a ping from here, as soon as it can. */
  async reaches(address: string, ...options: string[]): Promise<boolean> {
    return (await exec([...this.enter, 'ping', '-c1', '-W5', ...options, address])).status === 0;
  }

  /** A pair of links here: `name` and `name`p, both up. Stands in for dummy devices, which not all kernels have. */
  async pair(name: string): Promise<void> {
    await this.ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}p`);
    for (const end of [name, `${name}p`]) {
      // Without an address of the kernel's own, which would change from tentative to not during the test.
      await this.ip('link', 'set', end, 'addrgenmode', 'none');
      await this.ip('link', 'set', end, 'up');
    }
  }

  async remove(): Promise<void> {
    await exec(['ip', 'netns', 'del', this.name]);
  }
}

/** A CNI result, as far as tests look at it. */
export interface Added {
  readonly interfaces: readonly { readonly name: string; readonly mac?: string; readonly mtu?: number }[];
  readonly ips: readonly { readonly address: string; readonly gateway?: string }[];
  readonly routes: readonly { readonly dst: string }[];
}

/** A network configuration. */
export type Config = Readonly<Record<string, unknown>>;

/** How to call the plugin. */
export interface Options {
  readonly id?: string;
  /** Unset unless given. */
  readonly netns?: Namespace | string;
  readonly ifname?: string;
  readonly args?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Commands to run it by: strace, setpriv. */
  readonly by?: readonly string[];
  readonly config?: Config | string;
}

/** What a test sees of a host: compare it before and after. Base tables and bookkeeping of the lease store are left out. */
export interface Snapshot {
  readonly links: unknown;
  readonly routes: unknown;
  readonly nftables: unknown;
  readonly files: readonly string[];
}

/** A host that the plugin works on: a network namespace, folders for leases and records, and containers. */
export class Host {
  readonly #executable: string;
  readonly #folder = mkdtempSync('/run/host-');
  readonly #pods: Namespace[] = [];
  readonly #background: ChildProcess[] = [];
  #space: Namespace;

  private constructor(name: string, space: Namespace) {
    this.#executable = executable(name);
    this.#space = space;
  }

  static async make(name: string): Promise<Host> {
    return new Host(name, await Namespace.make());
  }

  /** The host's network namespace. */
  get net(): Namespace {
    return this.#space;
  }

  get dataDir(): string {
    return `${this.#folder}/D`;
  }
  get runDir(): string {
    return `${this.#folder}/run`;
  }
  /** A folder for whatever else the test needs. */
  get scratch(): string {
    return this.#folder;
  }

  /** A new container's network namespace. */
  async pod(): Promise<Namespace> {
    const pod = await Namespace.make();
    this.#pods.push(pod);
    return pod;
  }

  pods(number: number): Promise<Namespace[]> {
    return Promise.all(Array.from({ length: number }, () => this.pod()));
  }

  /** The reports' C4: IPv4, addresses .2 to .6. `ipam` is added to its ipam. */
  c4(ipam: object = {}, more: object = {}): Config {
    return {
      cniVersion: '1.1.0',
      name: 't',
      type: 'plumb',
      ipMasq: true,
      runDir: this.runDir,
      ipam: {
        type: 'host-local',
        dataDir: this.dataDir,
        subnet: '10.99.0.0/29',
        routes: [{ dst: '0.0.0.0/0' }],
        ...ipam,
      },
      ...more,
    };
  }

  /** The reports' C46: the same with fd99::/64. */
  c46(ipam: object = {}, more: object = {}): Config {
    const ranges = [[{ subnet: 'fd99::/64' }]];
    return this.c4({ ranges, routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }], ...ipam }, more);
  }

  /** Starts the plugin, C4 on its input unless told. */
  start(command: string, options: Options = {}): ChildProcess {
    const { netns, config = this.c4() } = options;
    const env: Record<string, string> = {
      PATH,
      CNI_PATH: '/usr/lib/cni',
      ...options.env,
      CNI_COMMAND: command,
      CNI_CONTAINERID: options.id ?? 'c1',
      CNI_IFNAME: options.ifname ?? 'eth0',
    };
    if (netns !== undefined) env['CNI_NETNS'] = typeof netns === 'string' ? netns : netns.path;
    if (options.args !== undefined) env['CNI_ARGS'] = options.args;
    const input = typeof config === 'string' ? config : JSON.stringify(config);
    return start([...this.net.enter, ...(options.by ?? []), this.#executable], { env, input });
  }

  /** Calls the plugin. */
  call(command: string, options: Options = {}): Promise<Outcome> {
    return outcomeOf(this.start(command, options));
  }

  /** ADD, which must succeed. */
  async add(netns: Namespace | string, options: Options = {}): Promise<Added> {
    const outcome = await this.call('ADD', { netns, ...options });
    expect(outcome, outcome.stdout).toMatchObject({ status: 0, stderr: '' });
    return JSON.parse(outcome.stdout);
  }

  /** Any other command, which must succeed and say nothing. */
  async ok(command: string, options: Options = {}): Promise<void> {
    expect(await this.call(command, options)).toEqual({ status: 0, stdout: '', stderr: '' });
  }

  /** A command that must fail with exactly one error object. */
  async refused(command: string, options: Options = {}): Promise<{ code: number; msg: string }> {
    return errorOf(await this.call(command, options));
  }

  /** Writes a network list with these entries into the folder that {@link Host.cli} looks in. */
  configure(entries: readonly Config[] = [this.c4()], name = 't', more: Config = {}): void {
    mkdirSync(this.confDir, { recursive: true });
    const list = { cniVersion: '1.1.0', name, plugins: entries, ...more };
    writeFileSync(`${this.confDir}/${name}.conflist`, JSON.stringify(list));
  }

  /** Folder of network configurations. */
  get confDir(): string {
    return `${this.#folder}/net.d`;
  }

  /** Runs the command line on this host. */
  cli(...args: string[]): Promise<Outcome> {
    const env = { PATH, NETCONFPATH: this.confDir };
    return exec([...this.net.enter, this.#executable, ...args], { env });
  }

  /** Runs a command of the command line with `--json`, which must succeed; returns what it printed. */
  async cliJson(...args: string[]): Promise<unknown> {
    const outcome = await this.cli(...args, '--json');
    expect(outcome, outcome.stderr).toMatchObject({ status: 0, stderr: '' });
    return JSON.parse(outcome.stdout);
  }

  /** Names of the files with leases. */
  async leases(network = 't'): Promise<string[]> {
    const files = await exec(['ls', `${this.dataDir}/${network}`]);
    return files.stdout.split('\n').filter((name) => /^[\da-f:.]+$/.test(name) && /[.:]/.test(name));
  }

  lease(address: string): string {
    return readFileSync(`${this.dataDir}/t/${address}`, 'latin1');
  }

  /** Names of the host ends that are there. */
  async ends(): Promise<string[]> {
    return (await this.net.links()).filter((name) => name.startsWith('plumb'));
  }

  /** Keys of the elements that our table has for containers. */
  async elements(): Promise<unknown[]> {
    return ruleset(await this.net.run('nft', '-j', 'list', 'ruleset')).elements;
  }

  async snapshot(): Promise<Snapshot> {
    const [links = '', routes4 = '', routes6 = '', nft = '', find = ''] = (
      await this.net.sh(`
        ip -j link; echo ===; ip -j -4 route show table all; echo ===; ip -j -6 route show table all; echo ===
        nft -j list ruleset; echo ===; find ${this.dataDir} ${this.runDir} 2>/dev/null || true`)
    ).split('===\n');
    return {
      links: parseList(links).map(({ operstate: _, flags, ...link }) => ({ ...link, flags: lasting(flags) })),
      // The kernel makes link-local addresses in its own time.
      routes: [...parseList(routes4), ...parseList(routes6)]
        .filter(({ dst, protocol }) => protocol !== 'kernel' || !/^(fe80:|ff00:)/.test(String(dst)))
        .map(({ flags, ...route }) => ({ ...route, flags: lasting(flags) })),
      nftables: ruleset(nft),
      files: find
        .split('\n')
        .filter((path) => path !== '' && !/\/(D|run)(\/t)?$|\/lock$|last_reserved|plumb-index/.test(path))
        .sort(),
    };
  }

  /** What the host looks like is as it was: the reports' "clean". Ends of containers that were removed may take a moment. */
  async expectClean(before: Snapshot): Promise<void> {
    expect(await this.snapshot()).toEqual(before);
  }

  /** A host end goes with its container's namespace, a moment later: waits for it. */
  async settled(): Promise<void> {
    await until(async () => (await this.ends()).length === 0);
  }

  /** Runs a command in a namespace until the test ends, or `stop` is called. */
  background(space: Namespace, argv: readonly string[]): () => Promise<void> {
    const child = start([...space.enter, ...argv], { detached: true });
    child.stdout?.resume();
    child.stderr?.resume();
    this.#background.push(child);
    return () => stop(child);
  }

  /** Runs a program until the test ends; it is ready when it has written something. */
  serve(argv: readonly string[]): { readonly pid: number | undefined; readonly ready: Promise<unknown> } {
    const child = start(argv, { detached: true });
    this.#background.push(child);
    return { pid: child.pid, ready: child.stdout === null ? Promise.resolve() : once(child.stdout, 'data') };
  }

  /** Everything on the host is gone but its disk, as after a reboot. */
  async reboot(): Promise<void> {
    await this.net.remove();
    rmSync(this.runDir, { recursive: true, force: true });
    this.#space = await Namespace.make();
  }

  async close(): Promise<void> {
    for (const child of this.#background) await stop(child);
    for (const space of [...this.#pods, this.net]) await space.remove();
    rmSync(this.#folder, { recursive: true });
  }
}

/** A program that does these lines of ip(8) over and over, with pauses: one process, as a storm of them is one of the machine's. */
export function endless(lines: readonly string[], pauseSeconds: number): string[] {
  // The pause is a read from a pipe that nobody writes to, for sleep(1) would be a process.
  const script =
    'exec {nap}<> <(:); while :; do printf "%s\\n" "$1"; read -rt "$2" -u "$nap"; done | ip -force -batch -';
  return ['bash', '-c', script, 'bash', lines.join('\n'), String(pauseSeconds)];
}

function parseList(json: string): Record<string, unknown>[] {
  return JSON.parse(json.trim() || '[]');
}

// Carrier comes a moment after both ends are up.
function lasting(flags: unknown): unknown[] {
  const all: unknown[] = Array.isArray(flags) ? flags : [];
  return all.filter((flag) => !/^(NO-CARRIER|LOWER_UP|linkdown)$/.test(String(flag)));
}

// The whole group: a shell's child may be in the middle of something that would show up later.
async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  process.kill(-child.pid, 'SIGKILL');
  await closed;
}

/** Decodes an error reply: exactly one object with numeric code and msg, and an exit status that is not 0. */
export function errorOf(outcome: Outcome): { code: number; msg: string } {
  expect(outcome).toMatchObject({ status: expect.any(Number), stderr: '' });
  expect(outcome.status).not.toBe(0);
  const error = JSON.parse(outcome.stdout);
  expect(error).toMatchObject({ code: expect.any(Number), msg: expect.stringMatching(/./) });
  return error;
}

// Our own table is shared by all containers and stays: what counts are the elements of its sets. The subnets in local4,
// local6, nets4 and nets6 belong to networks, not to containers.
function ruleset(json: string): { foreign: unknown[]; elements: unknown[] } {
  const { nftables }: { nftables: Record<string, { table?: string; name?: string; elem?: unknown[] }>[] } =
    JSON.parse(json);
  const foreign: unknown[] = [];
  const elements: unknown[] = [];
  for (const entry of nftables) {
    const [[kind, object] = []] = Object.entries(entry);
    if (kind === undefined || object === undefined || kind === 'metainfo') continue;
    const isOurs = /^plumb\b/.test((kind === 'table' ? object.name : object.table) ?? '');
    if (!isOurs) foreign.push(entry);
    else if (!/^(local|nets)[46]$/.test(object.name ?? '')) elements.push(...(object.elem ?? []));
  }
  return { foreign, elements };
}

/** Whether a file can be opened for nothing but to see it. */
export function exists(path: string): boolean {
  try {
    closeSync(openSync(path, 'r'));
    return true;
  } catch {
    return false;
  }
}

/** Runs `fn` for 0 to `number` - 1, `lanes` at a time. */
export async function inLanes(
  number: number,
  lanes: number,
  fn: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < number) await fn(next++);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** Waits until something is so, for 20 s at most. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`still not so after 20 s: ${isSo}`);
    await sleep(5);
  }
}

/** Lines that strace wrote, without pid and those of unfinished calls joined. */
export function straceLines(path: string): string[] {
  const pending = new Map<string, string>();
  return readFileSync(path, 'latin1')
    .split('\n')
    .flatMap((line) => {
      const [, pid = '', text = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
      if (text.endsWith('<unfinished ...>')) {
        pending.set(pid, text.slice(0, -'<unfinished ...>'.length));
        return [];
      }
      const [, rest] = /^<\.\.\. \w+ resumed>(.*)$/.exec(text) ?? [];
      return [rest === undefined ? text : `${pending.get(pid) ?? ''}${rest}`];
    });
}

/** `test` with a host made of the executable's name: `hostTest(name)('...', async ({ host }) => ...)`. */
export function hostTest(name: string) {
  return base.extend<{ host: Host }>({
    // The first parameter must be a pattern.
    host: async ({ task: _ }, use) => {
      const host = await Host.make(name);
      await use(host);
      await host.close();
    },
  });
}
