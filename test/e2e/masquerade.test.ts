import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { type Config, type Host, hostTest, until } from '../support/host.ts';
import { INSTALLED } from '../support/plugin.ts';
import { ask, HOST, OUTSIDE, outside, questions, seenAs, serve } from '../support/traffic.ts';

// Whose traffic is masqueraded, and whose is not.

const MULTICAST = join(import.meta.dirname, '../support/multicast.py');

/** The second network. */
const second = (host: Host, more: object = {}): Config => ({
  ...host.c46({ subnet: '10.98.0.0/29', ranges: [[{ subnet: 'fd98::/64' }]] }, more),
  name: 'second',
});

describe.concurrent.each(INSTALLED)('%s', (name) => {
  const test = hostTest(name);

  test('what leaves the network gets the host’s address, by TCP and UDP, IPv4 and IPv6; within the network, without ipMasq and after DEL nothing does', async ({
    host,
  }) => {
    const out = await outside(host);
    // So that it can answer those who come under their own addresses.
    for (const [family, address] of [
      ['-4', '10.96.0.0/12'],
      ['-6', 'fd00::/8'],
    ] as const) {
      await out.ip(family, 'route', 'add', address, 'via', family === '-4' ? HOST[4] : HOST[6]);
    }
    const [a, b, c] = [await host.pod(), await host.pod(), await host.pod()];
    await serve(host, out, 7000, 'out');
    await serve(host, b, 7000, 'b');
    await serve(host, c, 7000, 'c');
    await serve(host, host.net, 7000, 'host');
    const config = host.c46();
    const own = { 4: '10.99.0.2', 6: 'fd99::2' };
    const plain = { 4: '10.98.0.2', 6: 'fd98::2' };
    await host.add(a, { id: 'a', config });
    await host.add(b, { id: 'b', config });
    await host.add(c, { id: 'c', config: second(host, { ipMasq: false }) });
    expect(await ask(a, ...questions(OUTSIDE, 7000))).toEqual(seenAs(HOST, 'out'));
    expect(await ask(a, ...questions({ 4: '10.99.0.3', 6: 'fd99::3' }, 7000))).toEqual(seenAs(own, 'b'));
    // Not the host either, whichever of its addresses is asked.
    expect(await ask(a, ...questions({ 4: '10.99.0.1', 6: 'fd99::1' }, 7000))).toEqual(seenAs(own, 'host'));
    expect(await ask(a, `tcp ${HOST[4]} 7000`, `tcp ${HOST[6]} 7000`)).toEqual([
      `tcp ${own[4]} at host`,
      `tcp ${own[6]} at host`,
    ]);
    // Another network is outside, and what comes from there is that network's affair.
    const gateway = { 4: '10.98.0.1', 6: 'fd98::1' };
    expect(await ask(a, ...questions(plain, 7000))).toEqual(seenAs(gateway, 'c'));
    expect(await ask(c, ...questions({ 4: '10.99.0.3', 6: 'fd99::3' }, 7000))).toEqual(seenAs(plain, 'b'));
    expect(await ask(c, ...questions(OUTSIDE, 7000))).toEqual(seenAs(plain, 'out'));
    // The same host end without it, after a DEL, with the namespace and without.
    await host.ok('DEL', { id: 'a', netns: a, config });
    const unmasked = host.c46({}, { ipMasq: false, runtimeConfig: { ips: [own[4], own[6]] } });
    await host.add(a, { id: 'a', config: unmasked });
    expect(await ask(a, ...questions(OUTSIDE, 7000))).toEqual(seenAs(own, 'out'));
    const gone = await host.pod();
    const left = await host.elements();
    await host.add(gone, { id: 'gone', config });
    expect(await host.elements()).not.toEqual(left);
    await gone.remove();
    await host.ok('DEL', { id: 'gone', config });
    expect(await host.elements()).toEqual(left);
  });

  test('multicast keeps the address of the container, IPv4 and IPv6', async ({ host }) => {
    const out = await outside(host);
    const pod = await host.pod();
    const { interfaces } = await host.add(pod, { config: host.c46() });
    const script = ['/usr/bin/python3', MULTICAST];
    const router = host.serve([...host.net.enter, ...script, 'route', interfaces[0]?.name ?? '', 'up0']);
    await router.ready;
    const heard = `${host.scratch}/heard`;
    await host.serve([...out.enter, ...script, 'listen', 'up0', heard]).ready;
    await serve(host, out, 7000, 'out');
    const senders = new Set<string>();
    // The link to the outside is new: until the kernel has seen its carrier, nobody there hears multicast of IPv6.
    await until(async () => {
      await pod.run(...script, 'send', 'eth0');
      for (const sender of (await out.run('cat', heard)).match(/.+/g) ?? []) senders.add(sender);
      return senders.size >= 2;
    });
    expect([...senders].sort()).toEqual(['10.99.0.2', 'fd99::2']);
    // Where kernels say by which interface it came in, the rules leave it alone.
    const rules = await host.net.run('nft', 'list', 'chain', 'inet', 'plumb', 'postrouting');
    expect(rules).toMatch(
      /ip daddr != 224\.0\.0\.0\/4 .*masquerade\n.*ip6 daddr != ff00::\/8 .*masquerade\n/,
    );
    // The same container's other packets.
    expect(await ask(pod, ...questions(OUTSIDE, 7000))).toEqual(seenAs(HOST, 'out'));
  });
});
