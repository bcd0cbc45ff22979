import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hostState } from '../support/host-state.ts';
import { makeNetns, type Netns } from '../support/netns.ts';
import { callPlugin, INSTALLED, type Outcome, startPlugin } from '../support/plugin.ts';

// Somebody holds the lock of the leases and does not let go of it.

const NOTHING = { status: 0, stdout: '', stderr: '' };

let pods: Netns[];
let dataDir: string;
let holder: ChildProcess | undefined;
beforeEach(() => {
  pods = [makeNetns(), makeNetns()];
  dataDir = mkdtempSync('/run/leases-');
});
afterEach(async () => {
  await letGo();
  for (const pod of pods) pod.remove();
  rmSync(dataDir, { recursive: true });
});

async function hold(network = 'locked'): Promise<number> {
  const lock = `${dataDir}/${network}/lock`;
  mkdirSync(`${dataDir}/${network}`, { recursive: true });
  holder = spawn('flock', ['--no-fork', lock, 'sleep', '300'], { stdio: 'ignore' });
  while (spawnSync('flock', ['--nonblock', lock, 'true']).status === 0) await sleep(5);
  return holder.pid ?? 0;
}

async function letGo(): Promise<void> {
  if (holder === undefined) return;
  const ended = once(holder, 'exit');
  holder.kill('SIGKILL');
  await ended;
  holder = undefined;
}

const config = (more: object = {}): Record<string, unknown> => ({
  cniVersion: '1.1.0',
  name: 'locked',
  type: 'plumb',
  ipMasq: true,
  ...more,
  ipam: { type: 'host-local', dataDir, subnet: '10.96.0.0/24', lockTimeoutMs: 300 },
});

describe.each(INSTALLED)('%s', (name) => {
  const call = (command: string, i: number, more: object = {}): Outcome =>
    callPlugin(name, { command, containerId: `c${i}`, netns: pods[i]?.path ?? '', stdin: config(more) });
  const state = () => hostState(dataDir, 'locked');
  const expectTimeout = (outcome: Outcome, holderPid: number): void => {
    expect(outcome).toMatchObject({ status: 1, stderr: '' });
    expect(JSON.parse(outcome.stdout)).toEqual({
      cniVersion: '1.1.0',
      code: 11,
      msg: `lock ${dataDir}/locked/lock: still held by process ${holderPid} after 300 ms`,
    });
  };

  test('B14: ADD gives up with code 11, names the holder, and leaves nothing', async () => {
    const before = state();
    const pid = await hold();
    expectTimeout(call('ADD', 0), pid);
    expect(state()).toEqual(before);
    expect(pods[0]?.ip('-o', 'link')).not.toContain('eth0');
    await letGo();
    expect(call('ADD', 0).status).toBe(0);
    expect(call('DEL', 0)).toEqual(NOTHING);
    expect(state()).toEqual(before);
  });

  test('B14: DEL takes the rule and the link away, says 11 for the lease, and is finished by the next', async () => {
    const before = state();
    const { ips } = JSON.parse(call('ADD', 0).stdout);
    const { leases, records } = state();
    expect(ips).toMatchObject([{ address: `${leases[0]}/24` }]);
    const pid = await hold();
    for (let i = 0; i < 2; i++) {
      expectTimeout(call('DEL', 0), pid);
      expect(state()).toEqual({ ...before, leases, records });
    }
    await letGo();
    expect(call('DEL', 0)).toEqual(NOTHING);
    expect(state()).toEqual(before);
    expect(call('DEL', 0)).toEqual(NOTHING);
  });

  test('B14: GC says 11 after it has removed what is stale but for the leases; the next one finishes', async () => {
    const before = state();
    expect(call('ADD', 0).status).toBe(0);
    const { leases } = state();
    const pid = await hold();
    const none = { 'cni.dev/valid-attachments': [] };
    expectTimeout(call('GC', 0, none), pid);
    expect(state()).toMatchObject({ links: before.links, elements: before.elements, leases });
    await letGo();
    expect(call('GC', 0, none)).toEqual(NOTHING);
    expect(state()).toEqual(before);
  });

  test('B14: what only reads, and other networks, do not wait', async () => {
    const added = call('ADD', 0);
    await hold();
    expect(call('CHECK', 0, { prevResult: JSON.parse(added.stdout) })).toEqual(NOTHING);
    expect(call('STATUS', 0)).toEqual(NOTHING);
    expect(call('VERSION', 0).status).toBe(0);
    expect(call('ADD', 1, { name: 'other' }).status).toBe(0);
    expect(call('DEL', 1, { name: 'other' })).toEqual(NOTHING);
    await letGo();
    expect(call('DEL', 0)).toEqual(NOTHING);
  });

  test('B14: an ADD that waits goes on as soon as the holder is gone', async () => {
    await hold();
    const waiting = startPlugin(name, {
      command: 'ADD',
      netns: pods[0]?.path ?? '',
      stdin: { ...config(), ipam: { ...Object(config()['ipam']), lockTimeoutMs: 60_000 } },
    });
    await sleep(200);
    expect(state().leases).toEqual([]);
    await letGo();
    expect((await waiting).status).toBe(0);
    expect(callPlugin(name, { command: 'DEL', stdin: config() })).toEqual(NOTHING);
  });
});
