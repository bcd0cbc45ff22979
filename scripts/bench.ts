// Compares ADD and DEL of both executables with the reference plugins ptp + host-local, call by call in turn, so that
// whatever else the machine does weighs on all alike. Times are whole processes, as a container runtime sees them.
// npm run bench [ROUNDS]
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const INSIDE = 'PLUMB_BENCH_INSIDE';

interface Subject {
  readonly name: string;
  readonly path: string;
  readonly type: string;
}

function sh(command: string): string {
  return execFileSync('bash', ['-euc', command], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** The reference plugins and, from the package they came in, their version. */
function reference(): { folder: string; version: string } {
  const folder = sh('. scripts/lib/reference.sh; reference_plugins').trim();
  const note = join(folder, '../../../version');
  const version = existsSync(note)
    ? sh(`cat ${note}`)
    : sh('dpkg-query -W containernetworking-plugins | cut -f 2');
  return { folder, version: version.trim() };
}

if (process.env[INSIDE] === undefined) {
  const { folder, version } = reference();
  const { status } = spawnSync(
    'unshare',
    [
      ...['--net', '--mount', '--propagation', 'private', 'sh', '-euc'],
      'mount -t tmpfs tmpfs /run; mount -t sysfs sysfs /sys; ip link set lo up; exec "$@"',
      'sh',
      ...process.argv,
    ],
    {
      stdio: 'inherit',
      env: { ...process.env, [INSIDE]: '1', REFERENCE: folder, REFERENCE_VERSION: version },
    },
  );
  process.exit(status ?? 1);
}

const folder = process.env['REFERENCE'] ?? '/usr/lib/cni';
const rounds = Number(process.argv[2] ?? 40);
const subjects: readonly Subject[] = [
  { name: 'ptp + host-local', path: join(folder, 'ptp'), type: 'ptp' },
  { name: 'dist/plumb', path: join(root, 'dist/plumb'), type: 'plumb' },
  { name: 'dist/plumb-node', path: join(root, 'dist/plumb-node'), type: 'plumb' },
];
const SCENARIOS = {
  plain: { ranges: [[{ subnet: '10.90.0.0/16' }]], routes: [{ dst: '0.0.0.0/0' }] },
  'dual-stack': {
    ranges: [[{ subnet: '10.90.0.0/16' }], [{ subnet: 'fd90::/64' }]],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
  },
};

function call(command: string, subject: Subject, ipam: object, id: string): number {
  const config = {
    cniVersion: '1.0.0',
    name: subject.name.replaceAll(/\W/g, '-'),
    type: subject.type,
    ipam: { type: 'host-local', dataDir: '/run/leases', ...ipam },
  };
  const input = JSON.stringify(config);
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: id,
    CNI_NETNS: `/run/netns/${id}`,
    CNI_IFNAME: 'eth0',
    CNI_PATH: folder,
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  };
  const start = process.hrtime.bigint();
  const { status, stdout, stderr } = spawnSync(subject.path, [], { input, env });
  const elapsedMs = Number(process.hrtime.bigint() - start) / 1e6;
  if (status !== 0) throw new Error(`${subject.name} ${command}: ${stdout} ${stderr}`);
  return elapsedMs;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

console.log(`reference plugins ${process.env['REFERENCE_VERSION']}; medians of ${rounds} rounds, in ms`);
for (const [scenario, ipam] of Object.entries(SCENARIOS)) {
  const times = new Map<string, number[]>();
  const record = (key: string, ms: number): void => {
    times.set(key, [...(times.get(key) ?? []), ms]);
  };
  // The first round warms the caches and is not counted.
  for (let round = 0; round <= rounds; round++) {
    for (const subject of subjects) {
      const id = `b${round}-${subject.type}`;
      execFileSync('ip', ['netns', 'add', id]);
      const add = call('ADD', subject, ipam, id);
      const del = call('DEL', subject, ipam, id);
      execFileSync('ip', ['netns', 'del', id]);
      if (round === 0) continue;
      record(`ADD ${subject.name}`, add);
      record(`DEL ${subject.name}`, del);
    }
  }
  console.log(`\n${scenario}`);
  for (const verb of ['ADD', 'DEL']) {
    const base = median(times.get(`${verb} ${subjects[0]?.name}`) ?? []);
    for (const { name } of subjects) {
      const ms = median(times.get(`${verb} ${name}`) ?? []);
      const ratio =
        ms <= base ? `${(base / ms).toFixed(2)} times faster` : `${(ms / base).toFixed(2)} times as long`;
      console.log(
        `  ${verb} ${name.padEnd(18)} ${ms.toFixed(1).padStart(8)}   ${name === subjects[0]?.name ? '' : ratio}`,
      );
    }
  }
}
