import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/**
 * Runs an executable of Bun's that ends in the runtime's own way, with the calls that matter, and returns the files in which it
 * noted the order of the functions it used, the most important first. Bytecode that lies in this order is loaded with
 * fewer pages, which spares an ADD a few percent of its time. Undefined where the namespaces that the calls need cannot be made.
 */
export function bytecodeOrder(executable: string, folder: string): readonly string[] | undefined {
  const setup =
    'mount -t tmpfs -o mode=755 tmpfs /run; mount -t sysfs sysfs /sys; ip link set lo up; exec "$@"';
  const { status, stdout } = spawnSync(
    'unshare',
    [
      ...['--net', '--mount', '--propagation', 'private', 'sh', '-euc', setup, 'sh'],
      ...[process.execPath, join(import.meta.dirname, 'record-order.ts'), executable, folder],
    ],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  return status === 0 ? stdout.trimEnd().split('\n') : undefined;
}
