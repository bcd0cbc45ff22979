import { delList } from '../runtime/call-list.ts';
import { type RuntimeOptions, runtimeRequest, withRuntime } from '../runtime/options.ts';
import type { AddCommand } from './all.ts';

/** `plumb del NETWORK NETNS`: DEL of the network's plugins, as a runtime would call them. */
export const del: AddCommand = (program, out) => {
  withRuntime(program.command('del'))
    .description('detach a network namespace from a network, as a runtime would')
    .argument('<network>', 'its name in the configuration')
    .argument('<netns>', 'path of the network namespace, which may be gone')
    .action((network: string, netns: string, options: RuntimeOptions) => {
      const request = runtimeRequest(network, netns, options);
      delList(request);
      const { containerId, ifname } = request;
      const value = { network: request.network.name, containerId, ifname };
      out.data(value, () => `${containerId} ${ifname} is detached from ${value.network}`);
    });
};
