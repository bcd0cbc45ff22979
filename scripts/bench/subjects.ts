import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

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

/** What is compared: a main plugin and the type that its configuration names. */
export interface Subject {
  readonly name: string;
  readonly program: string;
  readonly type: string;
}

/** The reference's ptp, which runs host-local, and both executables. */
export function subjectsWith(folder: string): readonly Subject[] {
  return [
    { name: 'reference', program: join(folder, 'ptp'), type: 'ptp' },
    { name: 'plumb', program: join(root, 'dist/plumb'), type: 'plumb' },
    { name: 'plumb-node', program: join(root, 'dist/plumb-node'), type: 'plumb' },
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

/** The argument of the capability portMappings, for the container number `i` of a network. */
export function portMapping(i: number): { portMappings: object[] } {
  return { portMappings: [{ hostPort: FIRST_PORT + i, containerPort: 80, protocol: 'tcp' }] };
}
