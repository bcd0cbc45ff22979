// Compares what a pod with masquerading, a host port and bandwidth limits costs: one plumb entry with the chain of the
// reference plugins, ptp + host-local, portmap and bandwidth, with each of their backends. Both through cnitool, call by
// call in turn. npm run bench:chain [ROUNDS] [CONTAINERS that are there already]
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const cnitool = join(root, '.cache/cnitool');
const INSIDE = 'PLUMB_BENCH_INSIDE';

function sh(script: string): string {
  return execFileSync('bash', ['-euc', script], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

if (process.env[INSIDE] === undefined) {
  if (!existsSync(cnitool)) throw new Error('.cache/cnitool is missing: scripts/test builds it');
  const reference = sh('. scripts/lib/reference.sh; reference_plugins').trim();
  const { status } = spawnSync(
    'unshare',
    [
      ...['--net', '--mount', '--propagation', 'private', 'sh', '-euc'],
      'mkdir -p /var/lib/cni; mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /var/lib/cni; mount -t sysfs sysfs /sys; ip link set lo up; exec "$@"',
      'sh',
      ...process.argv,
    ],
    { stdio: 'inherit', env: { ...process.env, [INSIDE]: '1', REFERENCE: reference } },
  );
  process.exit(status ?? 1);
}

const reference = process.env['REFERENCE'] ?? '/usr/lib/cni';
const rounds = Number(process.argv[2] ?? 20);
const present = Number(process.argv[3] ?? 0);
const LIMITS = {
  ingressRate: 100_000_000,
  ingressBurst: 10_000_000,
  egressRate: 100_000_000,
  egressBurst: 10_000_000,
};
const ipam = (subnet: string): object => ({
  type: 'host-local',
  dataDir: '/run/leases',
  ranges: [[{ subnet }]],
  routes: [{ dst: '0.0.0.0/0' }],
});

interface Subject {
  readonly name: string;
  /** Whether its DEL works: with nftables that of the reference as Debian builds it does not. */
  readonly deletes: boolean;
  readonly plugins: readonly object[];
}

function chain(backend: string, subnet: string): object[] {
  return [
    { type: 'ptp', ipMasq: true, ipMasqBackend: backend, ipam: ipam(subnet) },
    { type: 'portmap', backend, snat: true, capabilities: { portMappings: true } },
    { type: 'bandwidth', ...LIMITS },
  ];
}

function plumb(type: string, subnet: string): object[] {
  return [{ type, ipMasq: true, capabilities: { portMappings: true }, ...LIMITS, ipam: ipam(subnet) }];
}

const subjects: readonly Subject[] = [
  { name: 'reference-iptables', deletes: true, plugins: chain('iptables', '10.90.0.0/16') },
  { name: 'reference-nftables', deletes: false, plugins: chain('nftables', '10.91.0.0/16') },
  { name: 'plumb', deletes: true, plugins: plumb('plumb', '10.92.0.0/16') },
  { name: 'plumb-node', deletes: true, plugins: plumb('plumb-node', '10.93.0.0/16') },
];

mkdirSync('/run/bin');
mkdirSync('/run/conf');
for (const name of ['plumb', 'plumb-node']) copyFileSync(join(root, 'dist', name), `/run/bin/${name}`);
for (const name of ['ptp', 'host-local', 'portmap', 'bandwidth']) {
  symlinkSync(join(reference, name), `/run/bin/${name}`);
}
for (const { name, plugins } of subjects) {
  writeFileSync(`/run/conf/${name}.conflist`, JSON.stringify({ cniVersion: '1.0.0', name, plugins }));
}

let port = 10_000;

function call(verb: string, subject: Subject, id: string, hostPort: number): number {
  const start = process.hrtime.bigint();
  const { status, stdout, stderr } = spawnSync(cnitool, [verb, subject.name, `/run/netns/${id}`], {
    encoding: 'utf8',
    env: {
      NETCONFPATH: '/run/conf',
      CNI_PATH: '/run/bin',
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      CAP_ARGS: JSON.stringify({ portMappings: [{ hostPort, containerPort: 80, protocol: 'tcp' }] }),
    },
  });
  const elapsedMs = Number(process.hrtime.bigint() - start) / 1e6;
  if (status !== 0) throw new Error(`${subject.name} ${verb}: ${stdout} ${stderr}`);
  return elapsedMs;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

for (const subject of subjects) {
  for (let i = 0; i < present; i++) {
    const id = `there-${subject.name}-${i}`;
    execFileSync('ip', ['netns', 'add', id]);
    call('add', subject, id, port++);
  }
}
const times = new Map<string, number[]>();
// The first round warms the caches and is not counted.
for (let round = 0; round <= rounds; round++) {
  for (const subject of subjects) {
    const id = `b${round}-${subject.name}`;
    const hostPort = port++;
    execFileSync('ip', ['netns', 'add', id]);
    const add = call('add', subject, id, hostPort);
    const del = subject.deletes ? call('del', subject, id, hostPort) : undefined;
    execFileSync('ip', ['netns', 'del', id]);
    if (round === 0) continue;
    times.set(`ADD ${subject.name}`, [...(times.get(`ADD ${subject.name}`) ?? []), add]);
    if (del !== undefined)
      times.set(`DEL ${subject.name}`, [...(times.get(`DEL ${subject.name}`) ?? []), del]);
  }
}
console.log(`masquerading, one port, bandwidth; through cnitool; ${present} containers there already`);
console.log(`medians of ${rounds} rounds, in ms`);
for (const [key, values] of [...times].sort(([a], [b]) => a.localeCompare(b))) {
  const verb = key.slice(0, 3);
  const ratios = ['reference-iptables', 'reference-nftables'].flatMap((name) => {
    const base = times.get(`${verb} ${name}`);
    if (!key.includes('plumb') || base === undefined) return [];
    return [`${(median(values) / median(base)).toFixed(2)} of ${name}`];
  });
  console.log(`  ${key.padEnd(24)} ${median(values).toFixed(1).padStart(8)}   ${ratios.join(', ')}`);
}
