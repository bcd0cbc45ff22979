import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeNetns, type Netns } from '../support/netns.ts';
import { callPlugin, EXECUTABLES, type Outcome } from '../support/plugin.ts';

const JOURNAL = '/run/systemd/journal';

let pod: Netns;
let folder: string;
beforeEach(() => {
  pod = makeNetns();
  folder = mkdtempSync('/run/log-');
});
afterEach(() => {
  pod.remove();
  rmSync(folder, { recursive: true });
});

describe.each(EXECUTABLES)('%s', (name) => {
  const call = (command: string, more: object): Outcome =>
    callPlugin(name, {
      command,
      containerId: 'logged',
      netns: pod.path,
      stdin: {
        cniVersion: '1.1.0',
        name: 'logs',
        type: 'plumb',
        ipMasq: true,
        ipam: { type: 'host-local', dataDir: folder, subnet: '10.97.0.0/24' },
        ...more,
      },
    });

  test('a file gets a line for each call, with its steps and what was made', () => {
    const log = `${folder}/calls.log`;
    const added = call('ADD', { callLog: log });
    expect(added).toMatchObject({ status: 0, stderr: '' });
    expect(call('ADD', { callLog: log }).status).toBe(1);
    expect(
      call('STATUS', {
        callLog: log,
        ipam: { type: 'host-local', dataDir: `${log}/none`, subnet: '10.97.0.0/24' },
      }).status,
    ).toBe(1);
    expect(call('DEL', { callLog: log }).status).toBe(0);
    const lines = readFileSync(log, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const about = { network: 'logs', containerId: 'logged', ifname: 'eth0', netns: pod.path };
    const { interfaces, ips } = JSON.parse(added.stdout);
    expect(lines).toEqual([
      {
        ...about,
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        level: 'info',
        command: 'ADD',
        ms: expect.any(Number),
        steps: expect.objectContaining({
          lease: expect.any(Number),
          links: expect.any(Number),
          masquerade: expect.any(Number),
        }),
        made: {
          interfaces: interfaces.map((it: { name: string }) => it.name),
          ips: ips.map((it: { address: string }) => it.address),
        },
      },
      expect.objectContaining({
        level: 'error',
        command: 'ADD',
        error: { code: 100, msg: expect.stringContaining('logged') },
      }),
      expect.objectContaining({
        level: 'error',
        command: 'STATUS',
        error: { code: 50, msg: expect.any(String) },
      }),
      expect.objectContaining({
        ...about,
        level: 'info',
        command: 'DEL',
        steps: expect.objectContaining({ lease: expect.any(Number) }),
      }),
    ]);
    expect(lines[3]).not.toHaveProperty('made');
    expect(statSync(log).mode & 0o777).toBe(0o600);
  });

  test('callLogLevel error: only what fails', () => {
    const log = `${folder}/calls.log`;
    expect(call('ADD', { callLog: log, callLogLevel: 'error' }).status).toBe(0);
    expect(call('ADD', { callLog: log, callLogLevel: 'error' }).status).toBe(1);
    expect(call('DEL', { callLog: log, callLogLevel: 'error' }).status).toBe(0);
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).command)).toEqual(['ADD']);
  });

  test('standard error, and never standard output', () => {
    const added = call('ADD', { callLog: 'stderr' });
    expect(JSON.parse(added.stdout).ips).toHaveLength(1);
    expect(JSON.parse(added.stderr)).toMatchObject({ level: 'info', command: 'ADD' });
    call('DEL', {});
  });

  test('the journal gets its own protocol', async () => {
    mkdirSync(JOURNAL, { recursive: true });
    const script =
      'import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\n' +
      `s.bind("${JOURNAL}/socket")\nprint("ready",flush=True)\nsys.stdout.write(s.recv(65536).decode())`;
    const journal = spawn('python3', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    journal.stdout.setEncoding('utf8').on('data', (data: string) => (text += data));
    try {
      await once(journal.stdout, 'data');
      expect(call('ADD', { callLog: 'journal' })).toMatchObject({ status: 0, stderr: '' });
      await once(journal, 'close');
    } finally {
      journal.kill();
      rmSync(JOURNAL, { recursive: true });
    }
    const [, priority, identifier, message = ''] = text.split('\n');
    expect([priority, identifier]).toEqual(['PRIORITY=6', 'SYSLOG_IDENTIFIER=plumb']);
    expect(JSON.parse(message.replace(/^MESSAGE=/, ''))).toMatchObject({
      command: 'ADD',
      containerId: 'logged',
    });
    call('DEL', {});
  });

  test('a log that cannot be written is told, and no more', () => {
    const added = call('ADD', { callLog: `${folder}/none/calls.log` });
    expect(added.status).toBe(0);
    expect(added.stderr).toBe(`plumb: log ${folder}/none/calls.log: open ${folder}/none/calls.log: ENOENT\n`);
    const { status, stderr } = call('DEL', { callLog: 'journal' });
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: `plumb: log journal: sendto ${JOURNAL}/socket: ENOENT\n`,
    });
  });

  test('another place is refused', () => {
    const { code, msg } = JSON.parse(call('ADD', { callLog: 'printer' }).stdout);
    expect(code).toBe(7);
    expect(msg).toContain(
      'callLog: "printer" is not allowed; allowed: stderr, syslog, journal or the absolute path of a file',
    );
  });
});
