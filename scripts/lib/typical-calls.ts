import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

const OWN_NAMESPACES = ['--net', '--mount', '--propagation', 'private'];

/** Why {@link inNamespaces} cannot work here; undefined where it can. */
export function namespaceTrouble(): string | undefined {
  const { status, error, stderr } = spawnSync('unshare', [...OWN_NAMESPACES, 'true'], { encoding: 'utf8' });
  return status === 0 ? undefined : (error?.message ?? stderr.trim());
}

/** Runs a script of this folder, with its arguments, in namespaces of its own; what it prints. Throws an `Error` when it fails. */
export function inNamespaces(script: string, ...args: readonly string[]): string {
  const setup =
    'mount -t tmpfs -o mode=755 tmpfs /run; mount -t sysfs sysfs /sys; ip link set lo up; exec "$@"';
  return execFileSync(
    'unshare',
    [
      ...[...OWN_NAMESPACES, 'sh', '-euc', setup, 'sh'],
      ...[process.execPath, join(import.meta.dirname, script), ...args],
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
}

const plain = {
  cniVersion: '1.1.0',
  name: 'order',
  type: 'plumb',
  ipam: {
    type: 'host-local',
    dataDir: '/run/leases',
    ranges: [[{ subnet: '10.85.0.0/16' }]],
    routes: [{ dst: '0.0.0.0/0' }],
  },
};
const full = {
  ...plain,
  ipMasq: true,
  ingressRate: 8_000_000,
  ingressBurst: 800_000,
  egressRate: 8_000_000,
  egressBurst: 800_000,
  runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
};

/**
 * Makes the calls that matter, in namespaces that are there for it. `command` is what to run for the call of a name; `env`
 * is added to its environment. Throws an `Error` when one fails.
 */
export function makeTypicalCalls(
  command: readonly [string, ...string[]],
  env: (name: string) => Readonly<Record<string, string>>,
): void {
  mkdirSync('/run/netns');
  execFileSync('ip', ['netns', 'add', 'c']);
  const [program, ...args] = command;
  const call = (name: string, verb: string, config: object): string => {
    const { status, stdout } = spawnSync(program, args, {
      input: JSON.stringify(config),
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        ...env(name),
        CNI_COMMAND: verb,
        CNI_CONTAINERID: 'order',
        CNI_NETNS: '/run/netns/c',
        CNI_IFNAME: 'eth0',
        CNI_PATH: '/usr/lib/cni',
      },
    });
    if (status !== 0) throw new Error(`${verb}: ${stdout}`);
    return stdout;
  };
  // The first ADD of a host makes more than those that follow.
  call('version', 'VERSION', {});
  const prevResult: unknown = JSON.parse(call('add', 'ADD', plain));
  call('del', 'DEL', { ...plain, prevResult });
  const result: unknown = JSON.parse(call('add-full', 'ADD', full));
  call('del-full', 'DEL', { ...full, prevResult: result });
  const again: unknown = JSON.parse(call('add-again', 'ADD', plain));
  call('check', 'CHECK', { ...plain, prevResult: again });
}
