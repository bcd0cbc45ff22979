import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** The project's folder. */
export const root = join(import.meta.dirname, '../..');

/** Runs a shell script in the project's folder and returns what it printed. */
export function sh(script: string): string {
  return execFileSync('bash', ['-euc', script], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
}

/** The reference plugins: where they are, and which version of which package. */
export function reference(): { folder: string; version: string } {
  const folder = sh('. scripts/lib/reference.sh; reference_plugins');
  const note = join(folder, '../../../version');
  const version = existsSync(note)
    ? `${sh(`cat ${note}`)} (Debian unstable)`
    : `${sh('dpkg-query -W containernetworking-plugins | cut -f 2')} (Debian stable)`;
  return { folder, version };
}

/**
 * Puts what is compared into a folder of its own until this program ends, and returns it: each file is written anew and in one
 * go, as installations do. What was read from disk again since it was built lies in small pages, and starts later
 * (docs/executables.md).
 */
export function install(plugins: string): string {
  const folder = mkdtempSync(join(root, 'dist/.bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true }));
  const files = [
    ...['plumb', 'plumb-node'].map((name) => join(root, 'dist', name)),
    ...['ptp', 'host-local', 'portmap', 'bandwidth'].map((name) => join(plugins, name)),
  ];
  for (const file of files) writeFileSync(join(folder, basename(file)), readFileSync(file), { mode: 0o755 });
  return folder;
}

/** What is compared: a main plugin and the type that its configuration names. */
export interface Subject {
  readonly name: string;
  readonly program: string;
  readonly type: string;
}

/** The reference's ptp, which runs host-local, and both executables, in the folder that {@link install} has made. */
export function subjectsWith(folder: string): readonly Subject[] {
  return [
    { name: 'reference', program: join(folder, 'ptp'), type: 'ptp' },
    { name: 'plumb', program: join(folder, 'plumb'), type: 'plumb' },
    { name: 'plumb-node', program: join(folder, 'plumb-node'), type: 'plumb' },
  ];
}

/** A configuration of one address family or two. */
export function plainConfig(type: string, name = `bench-${type}`, dualStack = false): object {
  const ranges = [[{ subnet: '10.64.0.0/10' }], ...(dualStack ? [[{ subnet: 'fd64::/64' }]] : [])];
  const routes = [{ dst: '0.0.0.0/0' }, ...(dualStack ? [{ dst: '::/0' }] : [])];
  return {
    cniVersion: '1.0.0',
    name,
    type,
    ipam: { type: 'host-local', dataDir: '/run/leases', ranges, routes },
  };
}

const LIMITS = {
  ingressRate: 100_000_000,
  ingressBurst: 10_000_000,
  egressRate: 100_000_000,
  egressBurst: 10_000_000,
};

const ipam = {
  type: 'host-local',
  dataDir: '/run/leases',
  ranges: [[{ subnet: '10.64.0.0/10' }]],
  routes: [{ dst: '0.0.0.0/0' }],
};

/** The chain of the reference plugins for a pod with masquerading, host ports and limits. */
export function referenceChain(backend: 'iptables' | 'nftables'): object[] {
  return [
    { type: 'ptp', ipMasq: true, ipMasqBackend: backend, ipam },
    { type: 'portmap', backend, snat: true, capabilities: { portMappings: true } },
    { type: 'bandwidth', ...LIMITS },
  ];
}

/** The same as one plumb entry. */
export function plumbChain(type: string): object[] {
  return [{ type, ipMasq: true, capabilities: { portMappings: true }, ...LIMITS, ipam }];
}

const FIRST_PORT = 2000;

/** The configuration that plumb gets of {@link plumbChain} for the container number `i` of a network. */
export function chainConfig(type: string, name: string, i: number): object {
  return { cniVersion: '1.0.0', name, ...plumbChain(type)[0], runtimeConfig: portMapping(i) };
}

/** The host port of the container number `i` of a network. */
export function hostPort(i: number): number {
  return FIRST_PORT + i;
}

/** The argument of the capability portMappings, for the container number `i` of a network. */
export function portMapping(i: number): { portMappings: object[] } {
  return { portMappings: [{ hostPort: hostPort(i), containerPort: 80, protocol: 'tcp' }] };
}
