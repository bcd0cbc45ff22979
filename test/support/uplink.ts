import type { Host, Namespace } from './host.ts';

/** Joins a host to a namespace that stands for what is outside: 192.0.2.1 and 192.0.2.2, which is its default route. */
export async function uplink(host: Host): Promise<Namespace> {
  const outside = await host.pod();
  await host.net.ip(
    'link',
    'add',
    'name',
    'up0',
    'type',
    'veth',
    'peer',
    'name',
    'up1',
    'netns',
    outside.name,
  );
  await host.net.ip('addr', 'add', '192.0.2.1/24', 'dev', 'up0');
  await host.net.ip('link', 'set', 'dev', 'up0', 'up');
  await outside.ip('addr', 'add', '192.0.2.2/24', 'dev', 'up1');
  await outside.ip('link', 'set', 'dev', 'up1', 'up');
  await host.net.ip('route', 'add', 'default', 'via', '192.0.2.2');
  return outside;
}
