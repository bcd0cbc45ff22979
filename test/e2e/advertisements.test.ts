import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { hostTest, until } from '../support/host.ts';
import { EXECUTABLES } from '../support/plugin.ts';

const ADVERTISE = join(import.meta.dirname, '../support/advertise.py');

describe.concurrent.each(EXECUTABLES)('router advertisements: %s', (name) => {
  const test = hostTest(name);

  test('a host that does not forward IPv6 takes no route from a container', async ({ host }) => {
    const pod = await host.pod();
    const { interfaces } = await host.add(pod);
    const end = interfaces[0]?.name ?? '';
    // A link of the same host that listens shows that it would have been heard.
    await pod.ip('link', 'add', 'heard0', 'type', 'veth', 'peer', 'name', 'heard1', 'netns', host.net.name);
    await pod.ip('link', 'set', 'heard0', 'up');
    await host.net.ip('link', 'set', 'heard1', 'up');
    const routes = () => host.net.ip('-6', 'route', 'show', 'proto', 'ra');
    const isReady = async (ifname: string): Promise<boolean> =>
      !/tentative|^$/.test(await pod.ip('-6', 'address', 'show', 'dev', ifname, 'scope', 'link'));
    await until(async () => (await isReady('eth0')) && (await isReady('heard0')));
    await pod.run('python3', ADVERTISE);
    await pod.ip('link', 'set', 'eth0', 'down');
    await pod.ip('link', 'set', 'eth0', 'name', 'first');
    await pod.ip('link', 'set', 'heard0', 'down');
    await pod.ip('link', 'set', 'heard0', 'name', 'eth0');
    await pod.ip('link', 'set', 'eth0', 'up');
    await until(() => isReady('eth0'));
    await pod.run('python3', ADVERTISE);
    await until(async () => (await routes()).includes('heard1'));
    expect(await routes()).not.toContain(end);
  });
});
