import type { Check } from './check.ts';
import { nameOf } from './problem.ts';

/** Whether what containers send gets through the ifb that limits it: the kernel drops what is led to one that is missing or down. */
export const limits: Check = {
  name: 'limit',
  find: ({ patients }) =>
    patients.flatMap(({ attachment }) => {
      const { record, ifb, hostEnd } = attachment;
      if (record?.ifb !== true || hostEnd === undefined || ifb?.up === true) return [];
      return ifb === undefined
        ? {
            object: nameOf(attachment),
            problem: 'the ifb that limits what it sends is missing, and what it sends is lost',
            remedy: `tc qdisc del dev ${hostEnd.name} clsact (ends the limit), or make the container anew`,
          }
        : {
            object: nameOf(attachment),
            problem: `${ifb.name}, which limits what it sends, is down, and what it sends is lost`,
            remedy: `ip link set ${ifb.name} up`,
          };
    }),
};
