import { rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { exec, type Host, hostTest, inLanes, type Namespace, outcomeOf } from '../support/host.ts';
import { INSTALLED, repetitions } from '../support/plugin.ts';

// Reports from the field, C: DEL, teardown, broken namespaces (those about the loopback plugin are with it). One or
// more tests for each report, on the executables.

// Goes to a network namespace of its own, becomes non-dumpable, and says so.
const UNDUMPABLE = `
import ctypes, signal
libc = ctypes.CDLL(None, use_errno=True)
assert libc.unshare(0x40000000) == 0
assert libc.prctl(4, 0) == 0
print("ready", flush=True)
signal.pause()`;
// As a user who may configure the network but neither look into other processes nor enter namespaces.
const CONFINED = [
  'setpriv',
  '--bounding-set',
  '-sys_ptrace,-sys_admin',
  '--inh-caps',
  '-sys_ptrace,-sys_admin',
];

/** Path of the namespace of a process that only a privileged one may look at; it lives until the test ends. */
async function undumpable(host: Host): Promise<string> {
  const { pid, ready } = host.serve(['/usr/bin/python3', '-c', UNDUMPABLE]);
  await ready;
  return `/proc/${pid}/ns/net`;
}

describe.concurrent.each(INSTALLED)('%s', (name) => {
  const test = hostTest(name);
  const isFast = name === 'plumb';

  const races = repetitions(isFast ? 200 : 20);
  test(`B47: ${races} DELs that race with the removal of the namespace`, async ({ host }) => {
    const before = await host.snapshot();
    const config = host.c4({ subnet: '10.99.0.0/24' });
    await inLanes(races, 4, async (i) => {
      const pod = await host.pod();
      const options = { id: `r${i}`, netns: pod, config };
      await host.add(pod, options);
      const removed = pod.remove();
      await host.ok('DEL', options);
      await removed;
    });
    await host.settled();
    await host.expectClean(before);
  });

  const kills = repetitions(isFast ? 100 : 10);
  test(`B49: ${kills} times killed in ADD, every other time in DEL too: one more DEL cleans up`, async ({
    host,
  }) => {
    const before = await host.snapshot();
    const [add, del] = isFast ? [40, 60] : [100, 100];
    const config = host.c46();
    const pod = await host.pod();
    const killed = async (command: string, afterMs: number): Promise<void> => {
      const child = host.start(command, { netns: pod, config });
      const ended = outcomeOf(child);
      await sleep(afterMs);
      child.kill('SIGKILL');
      await ended;
    };
    for (let i = 0; i < kills; i++) {
      // Spread over the time that it takes; the last ones come after its end.
      await killed('ADD', (i / kills) * add);
      if (i % 2 === 1) await killed('DEL', (((i * 37) % kills) / kills) * del);
      await host.ok('DEL', { netns: pod, config });
      await host.expectClean(before);
      expect(await pod.links()).toEqual(['lo']);
    }
  });

  const gone: readonly (readonly [string, (host: Host, pod: Namespace, end: string) => unknown])[] = [
    ['our nft table', (host) => host.net.run('nft', 'delete table inet plumb')],
    ['all nft rules', (host) => host.net.run('nft', 'flush ruleset')],
    ['our element', (host, _, end) => host.net.run('nft', `delete element inet plumb masq { ${end} }`)],
    ['the host end', (host, _, end) => host.net.ip('link', 'del', end)],
    ['the link in the container', (_, pod) => pod.ip('link', 'del', 'eth0')],
    ['the host route', (host) => host.net.ip('route', 'del', '10.99.0.2')],
    ['the lease', (host) => rmSync(`${host.dataDir}/t/10.99.0.2`)],
    ['all leases', (host) => rmSync(host.dataDir, { recursive: true })],
    ['the records', (host) => rmSync(host.runDir, { recursive: true })],
    [
      'everything',
      async (host, pod) => {
        await pod.ip('link', 'del', 'eth0');
        await host.net.run('nft', 'flush ruleset');
        rmSync(host.dataDir, { recursive: true });
        rmSync(host.runDir, { recursive: true });
      },
    ],
  ];
  test.for(gone)('B50: DEL succeeds although somebody removed %s by hand', async ([, remove], { host }) => {
    const pod = await host.pod();
    const before = await host.snapshot();
    const { interfaces } = await host.add(pod);
    await remove(host, pod, interfaces[0]?.name ?? '');
    await host.ok('DEL', { netns: pod });
    await host.expectClean(before);
  });

  test('B50: what a foreign plugin of the list kept from DEL is collected by GC', async ({ host }) => {
    const [pod, other] = await host.pods(2);
    const before = await host.snapshot();
    // The runtime calls DEL in reverse: the plugin behind ours fails, and ours is not called at all.
    await host.add(pod?.path ?? '');
    await host.add(other?.path ?? '', { id: 'c2' });
    await host.ok('GC', { config: { ...host.c4(), 'cni.dev/valid-attachments': [] } });
    await host.expectClean(before);
    expect(await pod?.links()).toEqual(['lo']);
  });

  test('B51: DEL of what was never added, again and again, and ten at once', async ({ host }) => {
    const pod = await host.pod();
    const before = await host.snapshot();
    await host.ok('DEL', { id: 'never', netns: pod });
    await host.expectClean(before);
    await host.add(pod);
    for (let i = 0; i < 3; i++) await host.ok('DEL', { netns: pod });
    await host.expectClean(before);
    await host.add(pod);
    await Promise.all(Array.from({ length: 10 }, () => host.ok('DEL', { netns: pod })));
    await host.expectClean(before);
  });

  test.for([
    ['broken JSON', { config: '{"cniVersion": "1.1.0",' }, 6],
    ['nothing on stdin', { config: '' }, 6],
    ['a bad container id', { id: 'a/b' }, 4],
    ['no container id', { id: '' }, 4],
    ['a bad interface name', { ifname: 'a/b' }, 4],
  ] as const)('B51: DEL with %s is an error', async ([, options, code], { host }) => {
    expect(await host.refused('DEL', options)).toMatchObject({ code });
  });

  test('B55: a namespace that may not be opened is an error for ADD, and no obstacle to DEL', async ({
    host,
  }) => {
    const netns = await undumpable(host);
    const before = await host.snapshot();
    const { msg } = await host.refused('ADD', { netns, by: CONFINED });
    expect(msg).toContain(netns);
    expect(msg).toMatch(/EACCES|EPERM/);
    await host.expectClean(before);
    await host.add(netns);
    expect(await host.ends()).toHaveLength(1);
    await host.ok('DEL', { netns, by: CONFINED });
    await host.expectClean(before);
    await host.add(netns);
    await host.ok('DEL', { netns });
    await host.expectClean(before);
  });

  test('B55: a bind mount of the namespace does as well as the path in /proc', async ({ host }) => {
    const netns = await undumpable(host);
    const before = await host.snapshot();
    const copy = `${host.scratch}/netns`;
    writeFileSync(copy, '');
    expect((await exec(['mount', '--bind', netns, copy])).stderr).toBe('');
    try {
      const prevResult = await host.add(copy);
      await host.ok('CHECK', { netns: copy, config: { ...host.c4(), prevResult } });
      await host.ok('DEL', { netns: copy });
      await host.expectClean(before);
    } finally {
      await exec(['umount', copy]);
    }
  });
});
