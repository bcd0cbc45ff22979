import { addList } from '../runtime/call-list.ts';
import { type RuntimeOptions, runtimeRequest, withRuntime } from '../runtime/options.ts';
import { describeResult } from '../runtime/result-text.ts';
import type { AddCommand } from './all.ts';

/** `plumb add NETWORK NETNS`: ADD of the network's plugins, as a runtime would call them. */
export const add: AddCommand = (program, out) => {
  withRuntime(program.command('add'))
    .description('attach a network namespace to a network, as a runtime would')
    .argument('<network>', 'its name in the configuration')
    .argument('<netns>', 'path of the network namespace')
    .action((network: string, netns: string, options: RuntimeOptions) => {
      const result = addList(runtimeRequest(network, netns, options));
      out.data(result, () => describeResult(result, out));
    });
};
