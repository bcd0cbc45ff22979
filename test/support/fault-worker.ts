// Breaks one call of the plugin at each of its steps in turn, and says what was left: run by fault-injection.test.ts in
// namespaces of its own, as `node fault-worker.ts EXECUTABLE ADD|DEL|GC`. strace(1) counts the steps and breaks them, so a
// new step is covered without a new test.
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { type Connection, connect, listLinks, listRoutes } from '../../src/netlink/index.ts';
import { withNetnsFd } from '../../src/sys/netns.ts';
import { getSysctl, setSysctl } from '../../src/sys/sysctl.ts';

const [executable = '', command = ''] = process.argv.slice(2);
const TRACE = '/run/trace';
const DATA = '/run/leases';
const POD = '/run/netns/pod';

const CHANGES =
  'sendto,write,ftruncate,link,linkat,symlink,symlinkat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,utimensat,flock,exit_group';
const OTHERS =
  'openat,open,read,pread64,readlink,readlinkat,statx,fstat,newfstatat,lstat,stat,getdents64,socket,bind,setsockopt,recvfrom,setns,ioctl,access,faccessat,faccessat2,close';
// What a failing disk or kernel says; the first is tried at every step.
const ERRORS = ['EIO', 'ENOSPC', 'EACCES'];
// See CONTRIBUTING.md.
const isEverything = process.env['PLUMB_EVERYTHING'] === '1';

const config = {
  cniVersion: '1.1.0',
  name: 'net',
  type: 'plumb',
  ipMasq: true,
  antiSpoofing: true,
  ingressPolicy: 'same-bridge',
  markAcceptBit: 16,
  ingressRate: 8_000_000,
  ingressBurst: 800_000,
  egressRate: 8_000_000,
  egressBurst: 800_000,
  unshapedSubnets: ['192.0.2.0/24', '2001:db8::/32'],
  runtimeConfig: {
    portMappings: [
      { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
      { hostPort: 5353, containerPort: 53, protocol: 'udp' },
    ],
  },
  sysctl: { 'net.core.somaxconn': '517', 'net.ipv4.conf.IFNAME.arp_filter': '1' },
  promisc: true,
  txQLen: 517,
  ipam: {
    type: 'host-local',
    dataDir: DATA,
    ranges: [[{ subnet: '10.99.0.0/28' }], [{ subnet: 'fd99::/64' }]],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
  },
};

function sh(script: string): string {
  const { status, stdout, stderr } = spawnSync('sh', ['-euc', script], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${script}: ${stderr}`);
  return stdout;
}

function call(verb: string, containerId = 'c1', wrapper: readonly string[] = []): SpawnSyncReturns<string> {
  const [program = executable, ...args] = [...wrapper, executable];
  return spawnSync(program, args, {
    cwd: '/',
    encoding: 'utf8',
    env: {
      CNI_COMMAND: verb,
      CNI_CONTAINERID: containerId,
      CNI_NETNS: containerId === 'c1' ? POD : '/run/netns/other',
      CNI_IFNAME: 'eth0',
      CNI_PATH: '/usr/lib/cni',
    },
    input: JSON.stringify({
      ...config,
      ...(verb === 'GC' ? { 'cni.dev/valid-attachments': VALID } : {}),
      // A port is one container's.
      ...(containerId === 'c1' ? {} : { runtimeConfig: {} }),
    }),
  });
}

const VALID = [{ containerID: 'neighbour', ifname: 'eth0' }];

/** All that an attachment may leave on the host and in the container, but for the index of its leases. */
function state(): string {
  const links = (conn: Connection): string[] => [
    ...listLinks(conn).map(({ name, alias }) => `link ${name} ${alias}`),
    ...listRoutes(conn).map(
      ({ dst, prefixLength, ifindex, table }) => `${dst}/${prefixLength} ${ifindex} ${table}`,
    ),
  ];
  const leases = readdirSync(`${DATA}/net`).filter((name) => !/^(lock|last_reserved_ip)/.test(name));
  return [
    ...links(host),
    ...links(inside),
    spawnSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }).stdout,
    ...leases,
    ...readdirSync('/run/plumb/net'),
  ].join('\n');
}

interface Step {
  readonly syscall: string;
  /** How many calls of this kind the process has made by then, this one included: strace's `when=`. */
  readonly ordinal: number;
  readonly text: string;
}

/** What the main thread did from the moment it had read its configuration. */
function steps(): Step[] {
  const lines = readFileSync(TRACE, 'utf8').split('\n');
  const main = lines[0]?.split(' ', 1)[0];
  const counts = new Map<string, number>();
  const all: Step[] = [];
  let begun = false;
  for (const line of lines) {
    const [, tid, syscall = '', text = ''] = /^(\d+) +(\w+)(\(.*)/.exec(line) ?? [];
    if (tid !== main || syscall === '') continue;
    const ordinal = (counts.get(syscall) ?? 0) + 1;
    counts.set(syscall, ordinal);
    if (begun) all.push({ syscall, ordinal, text: `${syscall}${text}` });
    if (syscall === 'read' && text.startsWith('(0, "",')) begun = true;
  }
  return all;
}

function strace(set: string, inject?: string): string[] {
  const injection = inject === undefined ? [] : ['-e', `inject=${inject}`];
  // Quicker, but signals are not delivered with it.
  const filter = inject?.includes('signal=') === true ? [] : ['--seccomp-bpf'];
  return ['strace', '-f', ...filter, '-qq', '-s', '200', '-o', TRACE, '-e', `trace=${set}`, ...injection];
}

const changes = (step: Step): boolean =>
  CHANGES.split(',').includes(step.syscall) || (step.syscall === 'openat' && step.text.includes('O_CREAT'));

const failures: string[] = [];
const crashes: string[] = [];
const broken = new Set<string>();

// Process ids, descriptors, times, addresses in memory and sequence numbers differ from run to run.
const normal = (text: string): string =>
  text
    .replace(/\) += .*| <unfinished.*|0x[0-9a-f]+|fd99::[0-9a-f]+/g, '')
    .replace(/\d+/g, '#')
    .slice(0, 120);

function expectState(what: string, wanted: string): boolean {
  const found = state();
  if (found === wanted) return true;
  const before = new Set(wanted.split('\n'));
  const after = new Set(found.split('\n'));
  const more = [...after].filter((line) => !before.has(line));
  const less = [...before].filter((line) => !after.has(line));
  failures.push(`${what}: left ${JSON.stringify(more)}, lost ${JSON.stringify(less)}`);
  return false;
}

function isJsonError({ status, stdout }: SpawnSyncReturns<string>): boolean {
  try {
    const { code, msg } = JSON.parse(stdout);
    return status !== 0 && typeof code === 'number' && typeof msg === 'string' && msg !== '';
  } catch {
    return false;
  }
}

function mustWork(what: string, outcome: SpawnSyncReturns<string>): void {
  if (outcome.status !== 0)
    failures.push(`${what}: exit ${outcome.status} ${outcome.stdout}${outcome.stderr}`);
}

/** Sysctls of the container: an ADD that fails restores them, one that is killed cannot. */
function tuned(): string {
  return withNetnsFd(podFd, () => getSysctl(TUNED));
}

/** Puts everything back, as the runtime would, and makes sure that it worked. */
function recover(what: string, by: 'DEL' | 'GC', clean: string): void {
  mustWork(`${what}, then ${by}`, call(by));
  if (!expectState(`${what}, then ${by}`, clean)) {
    call('DEL');
    sh('ip -n pod link del eth0 2>/dev/null || true');
  }
}

function prepare(): void {
  if (command !== 'ADD') mustWork('preparing', call('ADD'));
}

mkdirSync('/run/netns', { recursive: true });
sh('ip link set lo up; ip netns add pod; ip netns add other');
// A foreign firewall, whose chain is to accept what is forwarded.
sh(
  "nft add table ip filter; nft 'add chain ip filter FORWARD { type filter hook forward priority filter; policy drop; }'",
);
const host = connect();
const podFd = openSync(POD, 'r');
const inside = connect({ netnsFd: podFd });
mustWork('neighbour', call('ADD', 'neighbour'));
mustWork('warming up', call('ADD'));
mustWork('warming up', call('DEL'));
const clean = state();

// Nobody takes a sysctl back but an ADD that fails: it goes with the namespace.
const TUNED = 'net/core/somaxconn';
const UNTUNED = '128';
function untune(): void {
  withNetnsFd(podFd, () => setSysctl(TUNED, UNTUNED));
}

prepare();
const set = `${CHANGES},${OTHERS}`;
mustWork('counting', call(command, 'c1', strace(set)));
const counted = steps();
if (command === 'ADD') recover('counting', 'DEL', clean);

// Between two changes it makes no difference where the process is killed.
let kills = 0;
function killBefore(step: Step, ordinal: number): void {
  prepare();
  const what = `killed before ${step.text.slice(0, 90)}`;
  const { signal } = call(command, 'c1', strace(set, `${step.syscall}:signal=SIGKILL:when=${ordinal}`));
  if (signal !== 'SIGKILL') failures.push(`${what}: it was not`);
  broken.add(normal(steps().at(-1)?.text ?? ''));
  recover(what, kills++ % 2 === 0 ? 'DEL' : 'GC', clean);
}
// The other executable runs the same program: there it is enough that its runtime passes on what fails.
const isSecond = executable.endsWith('-node');
const deadly = isSecond && !isEverything ? [] : counted.filter(changes);
for (const step of deadly) killBefore(step, step.ordinal);
// Node's own calls, such as those that wake its threads, shift the count by one or two, not the same in each run.
for (const shift of [1, -1, 0, 2, -2, 1, -1, 0]) {
  for (const step of deadly) {
    const ordinal = step.ordinal + shift;
    if (ordinal > 0 && !broken.has(normal(step.text))) killBefore(step, ordinal);
  }
}
const missed = deadly.filter((step) => !broken.has(normal(step.text)));
for (const step of missed) failures.push(`never killed before ${step.text.slice(0, 120)}`);

let errors = 0;
// Unless all is asked for, one is enough of those that are the same: for the second executable of each system call, which its runtime
// must pass on as the first one's does, and else of the calls that change nothing and differ in numbers alone.
const seen = new Set<string>();
const isNew = (step: Step): boolean => {
  const text = isSecond ? step.syscall : normal(step.text);
  if (!isEverything && (isSecond || !changes(step)) && seen.has(text)) return false;
  seen.add(text);
  return true;
};
// A disk can be full when something is written; that is ADD's, above all.
const isTriedByAll = (step: Step): boolean =>
  changes(step) &&
  !isSecond &&
  (isEverything || (command === 'ADD' && !['sendto', 'flock'].includes(step.syscall)));
// What GC reads is read by DEL too, or by the functions that read what DEL reads.
const failing = isSecond || (command === 'GC' && !isEverything) ? counted.filter(changes) : counted;
for (const step of failing.filter(isNew)) {
  if (step.syscall === 'exit_group') continue;
  for (const errno of isTriedByAll(step) ? ERRORS : ERRORS.slice(0, 1)) {
    prepare();
    untune();
    errors++;
    const what = `${errno} at ${step.text.slice(0, 90)}`;
    const outcome = call(command, 'c1', strace(set, `${step.syscall}:error=${errno}:when=${step.ordinal}`));
    if (outcome.status === 0) {
      if (command === 'ADD') {
        const prevResult: unknown = JSON.parse(outcome.stdout);
        Object.assign(config, { prevResult });
        mustWork(`${what}, then CHECK`, call('CHECK'));
        Object.assign(config, { prevResult: undefined });
        recover(what, 'DEL', clean);
      } else if (expectState(what, clean)) recover(what, 'DEL', clean);
      continue;
    }
    // Node ends itself where close(2) or its own wake-up call fails: as if it had been killed.
    if (outcome.signal !== null) {
      crashes.push(what);
      recover(what, 'DEL', clean);
      continue;
    }
    // The process could not come back from the container's namespace and must not go on: as if it had been killed.
    if (outcome.status === 134) {
      recover(what, 'DEL', clean);
      continue;
    }
    if (!isJsonError(outcome) && !step.text.startsWith('write(1,')) {
      failures.push(`${what}: exit ${outcome.status}, no error object: ${outcome.stdout}${outcome.stderr}`);
    }
    if (command === 'ADD') {
      expectState(what, clean);
      if (tuned() !== UNTUNED) failures.push(`${what}: a sysctl is ${tuned()}`);
    }
    recover(what, 'DEL', clean);
  }
}
// An entry too many is found when the index is used next.
call('DEL');
mustWork('neighbour', call('DEL', 'neighbour'));
const entries = readdirSync(`${DATA}/.plumb-index.net`).filter((name) => name !== 'boot');
if (entries.length > 0) failures.push(`the index has ${entries.length} entries for nobody`);
process.stdout.write(JSON.stringify({ kills, errors, crashes, failures }));
