import { checkList } from '../runtime/call-list.ts';
import { type RuntimeOptions, runtimeRequest, withRuntime } from '../runtime/options.ts';
import { verdict } from '../runtime/verdict.ts';
import type { AddCommand } from './all.ts';

/** `plumb check NETWORK NETNS`: CHECK of the network's plugins, as a runtime would call them. */
export const check: AddCommand = (program, out) => {
  withRuntime(program.command('check'))
    .description('check that an attachment is as ADD left it, as a runtime would')
    .argument('<network>', 'its name in the configuration')
    .argument('<netns>', 'path of the network namespace')
    .action((network: string, netns: string, options: RuntimeOptions) => {
      const request = runtimeRequest(network, netns, options);
      const { containerId, ifname } = request;
      verdict(out, `${containerId} ${ifname} on ${network} is as ADD left it`, () => checkList(request));
    });
};
