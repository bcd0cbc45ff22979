import type { Check } from './check.ts';
import { nameOf } from './problem.ts';

/** Whether each container's namespace is alive and where ADD found it. */
export const namespaces: Check = {
  name: 'namespace',
  find: ({ patients }) =>
    patients.flatMap(({ attachment }) => {
      const { namespace, network, record } = attachment;
      const path = record?.netns.path ?? 'where it is not recorded';
      if (namespace === 'gone') {
        return {
          object: nameOf(attachment),
          problem: `its network namespace (${path}) is gone, but not its lease and record`,
          remedy: `plumb gc ${network}`,
        };
      }
      if (namespace === 'alive' || record === undefined) return [];
      return {
        object: nameOf(attachment),
        problem: `its network namespace is not at ${path} any more, so that it cannot be looked into`,
        remedy: 'make the container anew; if it is gone, end the process that keeps its namespace',
      };
    }),
};
