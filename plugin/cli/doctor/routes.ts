import { formatIp } from '../../../src/ip/address.ts';
import { RT_TABLE_MAIN } from '../../../src/netlink/abi/rtnetlink.ts';
import type { Check } from './check.ts';
import { containerEnd, type Facts, isUp, type Patient } from './facts.ts';
import { type Finding, nameOf } from './problem.ts';
import {
  addHostRoute,
  addRoute,
  familyOf,
  missingAddresses,
  missingGateways,
  missingHostRoutes,
  missingRoutes,
} from './restore.ts';

/** Whether the container finds out, and the host finds the container. */
export const routes: Check = {
  name: 'route',
  find: (facts) => facts.patients.flatMap((patient) => [...inContainer(patient), ...onHost(patient, facts)]),
};

function inContainer(patient: Patient): Finding[] {
  if (!isUp(containerEnd(patient))) return [];
  // They went with the last address of their family.
  const lost = missingAddresses(patient).map(({ address }) => address.address.family);
  const { attachment } = patient;
  return missingRoutes(patient)
    .filter(({ dst }) => !lost.includes(familyOf(dst)))
    .map((route) => ({
      object: nameOf(attachment),
      problem: `route ${route.dst}/${route.prefixLength} is missing or changed in the container`,
      remedy: addRoute(patient, route),
    }));
}

function onHost(patient: Patient, facts: Facts): Finding[] {
  const { attachment, best, pods } = patient;
  const { hostEnd, hostName } = attachment;
  if (!isUp(hostEnd)) return [];
  const object = nameOf(attachment);
  const missing = missingHostRoutes(patient);
  const gateways = missingGateways(patient).map(familyOf);
  const told = missing.filter(({ address }) => !gateways.includes(address.address.family));
  const lost = told.map((pod) => ({
    object,
    problem: `the host's route to ${formatIp(pod.address.address)} by ${hostName} is missing`,
    remedy: addHostRoute(patient, pod),
  }));
  const overruled = pods
    .filter((pod) => !missing.includes(pod))
    .flatMap((pod): Finding[] => {
      const ip = formatIp(pod.address.address);
      const route = best.get(ip);
      // What rules send elsewhere through other tables is the administrator's will.
      if (route !== undefined && (route.table !== RT_TABLE_MAIN || route.ifindex === hostEnd.index))
        return [];
      const instead = facts.host.links.find(({ index }) => index === route?.ifindex)?.name ?? 'nowhere';
      const problem = `the host's route to ${ip} by ${hostName} is overruled: packets go to ${instead}`;
      return [{ object, problem, remedy: `ip route get ${ip} shows by which route or rule; remove that` }];
    });
  return [...lost, ...overruled];
}
