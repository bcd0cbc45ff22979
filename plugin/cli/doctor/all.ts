import { addresses } from './addresses.ts';
import type { Check } from './check.ts';
import { configuration } from './configuration.ts';
import type { Facts } from './facts.ts';
import { firewalls } from './firewalls.ts';
import { folders } from './folders.ts';
import { forwarding } from './forwarding.ts';
import { guarding } from './guarding.ts';
import { leases, strays } from './leases.ts';
import { limits } from './limits.ts';
import { links } from './links.ts';
import { mappedPorts } from './mapped-ports.ts';
import { masquerading } from './masquerading.ts';
import { mtu } from './mtu.ts';
import { namespaces } from './namespaces.ts';
import type { Problem } from './problem.ts';
import { ranges } from './ranges.ts';
import { records } from './records.ts';
import { routes } from './routes.ts';
import { rpFilter } from './rp-filter.ts';

/** Every check, in the order in which a packet needs what it looks at. */
export const CHECKS: readonly Check[] = [
  namespaces,
  records,
  links,
  addresses,
  routes,
  mtu,
  limits,
  forwarding,
  rpFilter,
  masquerading,
  mappedPorts,
  guarding,
  firewalls,
  leases,
  ranges,
  strays,
  folders,
  configuration,
];

/** What is wrong. `isSingle`: one container is asked about, not the host as a whole. */
export function findProblems(facts: Facts, isSingle: boolean): Problem[] {
  return CHECKS.filter(({ isGeneral }) => !isSingle || isGeneral !== true).flatMap(({ name, find }) =>
    find(facts).map((found) => ({ check: name, ...found })),
  );
}
