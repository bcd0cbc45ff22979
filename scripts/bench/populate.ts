import { add } from '../../plugin/add.ts';
import { openIpam } from '../../plugin/ipam/open.ts';
import { parseNetworkConfig } from '../../src/cni/config.ts';
import { parseEnvironment } from '../../src/cni/environment.ts';
import type { BenchHost } from './host.ts';

const INTERFACES_PER_CONTAINER = 100;

/**
 * Gives a host so many attachments, each of them as the executable would make it, but without starting it: in this process.
 * A container has a hundred interfaces, which makes no difference to the host.
 */
export function populate(host: BenchHost, size: number, config: (i: number) => object): void {
  let netns = '';
  for (let i = 0; i < size; i++) {
    if (i % INTERFACES_PER_CONTAINER === 0) netns = host.container(`${host.name}-there-${i}`);
    const document = JSON.stringify(config(i));
    const env = parseEnvironment({
      CNI_COMMAND: 'ADD',
      CNI_CONTAINERID: `there-${i}`,
      CNI_NETNS: netns,
      CNI_IFNAME: `e${i % INTERFACES_PER_CONTAINER}`,
      CNI_PATH: '/usr/lib/cni',
    });
    host.inside(() => {
      const { ipam, ...others } = parseNetworkConfig(document, 'ADD');
      // Of routes inside a container there can be one of a kind, and its interfaces are many.
      const parsed = { ...others, ...(ipam === undefined ? {} : { ipam: { ...ipam, routes: [] } }) };
      add(env, parsed, openIpam(parsed, { document, path: env.path }));
    });
  }
}
