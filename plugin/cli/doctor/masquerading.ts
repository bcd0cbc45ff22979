import type { Check } from './check.ts';
import { nameOf } from './problem.ts';

/** Whether who is to be masqueraded is. */
export const masquerading: Check = {
  name: 'masquerade',
  find: ({ patients, hasMasqueradeRules }) => {
    const wanting = patients.filter(
      ({ attachment: { record, namespace } }) => record?.ipMasq === true && namespace !== 'gone',
    );
    if (wanting.length > 0 && !hasMasqueradeRules) {
      return [
        {
          object: 'table inet plumb',
          problem: `the table or its rules are gone: nobody is masqueraded, and ${wanting.length} should be`,
          remedy: 'start a container that is masqueraded: its ADD gives it back to all',
        },
      ];
    }
    return wanting
      .filter(({ attachment }) => !attachment.isMasqueraded && attachment.hostEnd !== undefined)
      .map(({ attachment }) => ({
        object: nameOf(attachment),
        problem: `its host end ${attachment.hostName} is not masqueraded`,
        remedy: `nft add element inet plumb masq '{ "${attachment.hostName}" }'`,
      }));
  },
};
