import type { Check } from './check.ts';
import { nameOf } from './problem.ts';

/** Whether there is a record of each attachment. */
export const records: Check = {
  name: 'record',
  find: ({ patients }) =>
    patients
      .filter(({ attachment: { record, hostEnd } }) => record === undefined && hostEnd !== undefined)
      .map(({ attachment }) => ({
        object: nameOf(attachment),
        problem: `there is no record of it, only its host end ${attachment.hostName}: it cannot be looked into`,
        remedy: 'make the container anew; DEL and GC find it by its name',
      })),
};
