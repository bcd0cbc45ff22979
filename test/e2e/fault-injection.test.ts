import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { EXECUTABLES, executable, INSTALLED, isEverything } from '../support/plugin.ts';

const WORKER = join(import.meta.dirname, '../support/fault-worker.ts');
const SETUP =
  'mount -t tmpfs -o mode=755 tmpfs /run; mount -t sysfs sysfs /sys; mkdir -p /run/leases; exec "$@"';

async function breakAtEachStep(name: string, command: string): Promise<unknown> {
  const args = ['--net', '--mount', '--propagation', 'private', 'sh', '-euc', SETUP, 'sh'];
  const { stdout } = await promisify(execFile)(
    'unshare',
    [...args, process.execPath, WORKER, executable(name), command],
    { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  );
  return JSON.parse(stdout);
}

// Kill: the next DEL or GC leaves the machine as before. Error: an ADD that fails leaves nothing by itself, one that
// succeeds passes CHECK; a DEL or GC that fails says so, and the next one finishes. The points are counted by strace, not
// listed here.
describe.concurrent.each(EXECUTABLES)(
  '%s, killed before each change it makes and failing at each system call',
  (name) => {
    // The program is the same, and breaks at the same points.
    const commands = INSTALLED.includes(name) ? ['ADD', 'DEL', 'GC'] : ['ADD'];
    test.each(commands)('B03, B07, B49: %s leaves nothing behind', async (command) => {
      const report = await breakAtEachStep(name, command);
      expect(report).toMatchObject({ failures: [] });
      const { kills, errors, crashes } = report as { kills: number; errors: number; crashes: string[] };
      expect(crashes.filter((what) => name === 'plumb' || !/at (close|write)\(/.test(what))).toEqual([]);
      if (name === 'plumb' || isEverything()) expect(kills).toBeGreaterThan(command === 'ADD' ? 30 : 10);
      const areReadsTried = name === 'plumb' && (command !== 'GC' || isEverything());
      expect(errors).toBeGreaterThan(areReadsTried ? kills : 8);
    });
  },
);
