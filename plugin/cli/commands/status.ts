import { statusList } from '../runtime/call-list.ts';
import { type RuntimeOptions, runtimeRequest, withRuntime } from '../runtime/options.ts';
import { verdict } from '../runtime/verdict.ts';
import type { AddCommand } from './all.ts';

/** `plumb status NETWORK`: STATUS of the network's plugins, as a runtime would call them. */
export const status: AddCommand = (program, out) => {
  withRuntime(program.command('status'))
    .description('ask whether a network is ready for containers, as a runtime would')
    .argument('<network>', 'its name in the configuration')
    .argument('[netns]', 'not used; cnitool wants one')
    .action((network: string, netns: string | undefined, options: RuntimeOptions) => {
      const request = runtimeRequest(network, netns ?? '', options);
      verdict(out, `network ${network} is ready`, () => statusList(request));
    });
};
