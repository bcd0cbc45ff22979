import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { hostTest, type Namespace, until } from '../support/host.ts';
import { INSTALLED } from '../support/plugin.ts';

const ADVERTISE = join(import.meta.dirname, '../support/advertise.py');

describe.concurrent.each(INSTALLED)('IPv6 of the host end: %s', (name) => {
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

  test('in a network without IPv6 it has none: a container reaches nothing of the host by it, and there is no route', async ({
    host,
  }) => {
    await host.net.ip('address', 'add', 'fd77::1/128', 'dev', 'lo');
    const without = await host.pod();
    const end = (await host.add(without)).interfaces[0];
    const both = await host.pod();
    const other = (await host.add(both, { id: 'both', config: host.c46() })).interfaces[0];
    const conf = (ifname: string | undefined, key: string): Promise<string> =>
      host.net.sh(`cat /proc/sys/net/ipv6/conf/${ifname}/${key}`);
    // A container may say what it likes: here that the host's address is behind its link, with the right MAC.
    const reaches = async (pod: Namespace, mac: string | undefined): Promise<boolean> => {
      await pod.ip('address', 'replace', 'fd77::2/128', 'dev', 'eth0', 'nodad');
      await pod.ip('route', 'replace', 'fd77::1/128', 'dev', 'eth0');
      await pod.ip('neighbour', 'replace', 'fd77::1', 'dev', 'eth0', 'lladdr', mac ?? '', 'nud', 'permanent');
      return pod.reaches('fd77::1', '-I', 'fd77::2');
    };
    await host.net.sh(`ip -6 route add fd77::2/128 dev ${end?.name} || true`);
    expect(await reaches(without, end?.mac)).toBe(false);
    expect(await conf(end?.name, 'disable_ipv6')).toBe('1\n');
    const routes = await host.net.ip('-6', 'route', 'show', 'table', 'all');
    expect(routes).not.toContain(end?.name);

    await host.net.ip('-6', 'route', 'add', 'fd77::2/128', 'dev', other?.name ?? '');
    expect(await reaches(both, other?.mac)).toBe(true);
    expect(await conf(other?.name, 'disable_ipv6')).toBe('0\n');
    expect(await conf(other?.name, 'accept_ra')).toBe('0\n');
    expect(routes).toContain(`multicast ff00::/8 dev ${other?.name}`);
  });
});
