import { formatIp } from '../../../src/ip/address.ts';
import { RT_TABLE_MAIN } from '../../../src/netlink/abi/rtnetlink.ts';
import type { Check } from './check.ts';
import { isUp } from './facts.ts';
import { nameOf } from './problem.ts';

/** Whether strict reverse path filtering drops what containers send, since the host would answer by another link. */
export const rpFilter: Check = {
  name: 'rp_filter',
  find: ({ patients, host }) =>
    patients.flatMap(({ attachment, best, pods, switches }) => {
      const { hostEnd, hostName } = attachment;
      if (!isUp(hostEnd) || switches?.strict !== true) return [];
      return pods.flatMap(({ address: { address } }) => {
        const route = best.get(formatIp(address));
        // That the main table does not lead to it is a fault of the routes.
        const isElsewhere =
          route !== undefined && route.table !== RT_TABLE_MAIN && route.ifindex !== hostEnd.index;
        if (address.family === 6 || !isElsewhere) return [];
        const other = host.links.find(({ index }) => index === route.ifindex)?.name ?? 'nowhere';
        return {
          object: nameOf(attachment),
          problem: `rp_filter of ${hostName} is strict and drops what it sends: table ${route.table} leads ${formatIp(address)} to ${other}`,
          remedy: `sysctl -w net.ipv4.conf.${hostName}.rp_filter=2`,
        };
      });
    }),
};
