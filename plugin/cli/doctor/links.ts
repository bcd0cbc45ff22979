import type { Check } from './check.ts';
import { containerEnd, type Patient } from './facts.ts';
import { type Finding, nameOf } from './problem.ts';
import {
  addAddress,
  addGateway,
  addHostRoute,
  addRoute,
  inContainer,
  missingAddresses,
  missingGateways,
  missingHostRoutes,
  missingRoutes,
} from './restore.ts';

/** Whether both ends of each pair are there, up, and each other's. */
export const links: Check = {
  name: 'link',
  find: ({ patients }) => patients.flatMap(findFaults),
};

function findFaults(patient: Patient): Finding[] {
  const { attachment, impostor, inside } = patient;
  const { hostEnd, hostName, ifname, namespace } = attachment;
  const object = nameOf(attachment);
  const anew = 'make the container anew';
  if (impostor !== undefined) {
    return [
      {
        object,
        problem: `a link ${hostName} that is somebody else's has the name of its host end`,
        remedy: `ip link set ${hostName} name NAME, then ${anew}`,
      },
    ];
  }
  if (hostEnd === undefined) {
    if (namespace === 'gone') return [];
    const problem = `its host end ${hostName} is missing, and with it ${ifname} in the container`;
    return [{ object, problem, remedy: anew }];
  }
  if (inside === undefined) return hostEnd.up ? [] : [hostEndIsDown(patient)];
  const end = containerEnd(patient);
  if (end === undefined) return [{ object, problem: `${ifname} is missing in the container`, remedy: anew }];
  if (end.peerIndex !== hostEnd.index || hostEnd.peerIndex !== end.index)
    return [
      { object, problem: `${ifname} in the container is not the other end of ${hostName}`, remedy: anew },
    ];
  return [...(hostEnd.up ? [] : [hostEndIsDown(patient)]), ...(end.up ? [] : [containerEndIsDown(patient)])];
}

/** The routes of a link that goes down are gone, and its IPv6 addresses. */
function hostEndIsDown(patient: Patient): Finding {
  const { attachment } = patient;
  const commands = [
    `ip link set ${attachment.hostName} up`,
    ...missingGateways(patient).map((gateway) => addGateway(patient, gateway)),
    ...missingHostRoutes(patient).map((pod) => addHostRoute(patient, pod)),
  ];
  return {
    object: nameOf(attachment),
    problem: `its host end ${attachment.hostName} is down`,
    remedy: commands.join('; '),
  };
}

function containerEndIsDown(patient: Patient): Finding {
  const { attachment } = patient;
  const commands = [
    `${inContainer(patient)} link set ${attachment.ifname} up`,
    ...missingAddresses(patient).map((pod) => addAddress(patient, pod)),
    ...missingRoutes(patient).map((route) => addRoute(patient, route)),
  ];
  return {
    object: nameOf(attachment),
    problem: `${attachment.ifname} in the container is down`,
    remedy: commands.join('; '),
  };
}
