import type { Check } from './check.ts';
import { nameOf } from './problem.ts';

/** Whether antiSpoofing and ingressPolicy are in force for whom they should be. */
export const guarding: Check = {
  name: 'guard',
  find: ({ patients }) =>
    patients
      .map(({ attachment }) => attachment)
      .filter(
        ({ record, isGuarded, hostEnd }) =>
          record?.guard !== undefined && !isGuarded && hostEnd !== undefined,
      )
      .map((attachment) => ({
        object: nameOf(attachment),
        problem: `antiSpoofing or ingressPolicy of ${attachment.hostName} is not in force (table inet plumb-guard)`,
        remedy: 'make the container anew, or reload it (podman network reload)',
      })),
};
