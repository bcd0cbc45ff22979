import { spawnSync } from 'node:child_process';

const INSIDE = 'PLUMB_BENCH_INSIDE';

/** Starts this program again in namespaces of its own, and ends with its exit code; returns where it is that already. */
export function isolate(): void {
  if (process.env[INSIDE] !== undefined) return;
  const { status } = spawnSync(
    'unshare',
    [
      ...['--net', '--mount', '--propagation', 'private', 'sh', '-euc'],
      'mkdir -p /var/lib/cni; mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /var/lib/cni; ' +
        'mount -t sysfs sysfs /sys; ip link set lo up; mkdir /run/netns; exec "$@"',
      'sh',
      process.execPath,
      ...process.argv.slice(1),
    ],
    // Every start of Node reads the certificates that this names.
    { stdio: 'inherit', env: { ...process.env, [INSIDE]: '1', NODE_EXTRA_CA_CERTS: '' } },
  );
  process.exit(status ?? 1);
}
