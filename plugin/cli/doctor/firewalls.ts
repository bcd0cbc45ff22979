import type { Check } from './check.ts';
import { hasFamily } from './facts.ts';

/** Whether other programs' rules drop what containers send or are sent. */
export const firewalls: Check = {
  name: 'firewall',
  find: ({ patients, firewalls: all }) =>
    all
      .filter(({ families }) =>
        families.some((family) => patients.some((patient) => hasFamily(patient, family))),
      )
      .map(({ name, what, isCertain, remedy }) => ({
        object: name,
        problem: what,
        remedy,
        ...(isCertain ? {} : { doubtful: true }),
      })),
};
