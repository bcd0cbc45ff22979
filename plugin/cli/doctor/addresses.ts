import { formatPrefix } from '../../../src/ip/address.ts';
import type { Check } from './check.ts';
import { containerEnd, isUp } from './facts.ts';
import { nameOf } from './problem.ts';
import {
  addAddress,
  addGateway,
  addHostRoute,
  addRoute,
  familyOf,
  missingAddresses,
  missingGateways,
  missingHostRoutes,
  missingRoutes,
} from './restore.ts';

/** Whether each container has its addresses, and each host end those of the gateways. */
export const addresses: Check = {
  name: 'address',
  find: ({ patients }) =>
    patients.flatMap((patient) => {
      const { attachment } = patient;
      const object = nameOf(attachment);
      const inContainer = isUp(containerEnd(patient)) ? missingAddresses(patient) : [];
      const onHost = isUp(attachment.hostEnd) ? missingGateways(patient) : [];
      return [
        ...inContainer.map((pod) => ({
          object,
          problem: `address ${formatPrefix(pod.address)} is missing on ${attachment.ifname} in the container`,
          remedy: [
            addAddress(patient, pod),
            // With the last address of a family the kernel takes the routes of the link away.
            ...missingRoutes(patient)
              .filter(({ dst }) => familyOf(dst) === pod.address.address.family)
              .map((route) => addRoute(patient, route)),
          ].join('; '),
        })),
        ...onHost.map((gateway) => ({
          object,
          problem: `gateway address ${gateway} is missing on its host end ${attachment.hostName}`,
          remedy: [
            addGateway(patient, gateway),
            ...missingHostRoutes(patient)
              .filter(({ address }) => address.address.family === familyOf(gateway))
              .map((pod) => addHostRoute(patient, pod)),
          ].join('; '),
        })),
      ];
    }),
};
