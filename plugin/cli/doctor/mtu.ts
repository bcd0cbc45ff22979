import type { Check } from './check.ts';
import { containerEnd, type Facts } from './facts.ts';
import { nameOf } from './problem.ts';
import { inContainer } from './restore.ts';

/** Whether what one end sends the other takes, and the way out of the host, too. */
export const mtu: Check = {
  name: 'mtu',
  find: (facts) => {
    const least = uplinkMtu(facts);
    return facts.patients.flatMap((patient) => {
      const { attachment } = patient;
      const end = containerEnd(patient);
      const { hostEnd } = attachment;
      if (end === undefined || hostEnd === undefined) return [];
      const object = nameOf(attachment);
      if (end.mtu !== hostEnd.mtu) {
        const wanted = patient.config?.mtu ?? Math.max(end.mtu, hostEnd.mtu);
        return {
          object,
          problem: `MTU ${end.mtu} of ${end.name} in the container is not MTU ${hostEnd.mtu} of its host end ${hostEnd.name}`,
          remedy:
            end.mtu === wanted
              ? `ip link set ${hostEnd.name} mtu ${wanted}`
              : `${inContainer(patient)} link set ${end.name} mtu ${wanted}`,
        };
      }
      if (least === undefined || end.mtu <= least.mtu) return [];
      return {
        object,
        problem: `MTU ${end.mtu} is larger than MTU ${least.mtu} of ${least.name}, by which the host goes out: large packets are lost where ICMP is`,
        remedy: `set mtu to ${least.mtu} in the network's configuration, and make its containers anew`,
        doubtful: true,
      };
    });
  },
};

/** The link of the host's default routes that takes least. */
function uplinkMtu({ host }: Facts): { readonly name: string; readonly mtu: number } | undefined {
  const uplinks = new Set(
    host.routes.filter(({ prefixLength }) => prefixLength === 0).map(({ ifindex }) => ifindex),
  );
  return host.links
    .filter(({ index, name }) => uplinks.has(index) && name !== 'lo')
    .toSorted((a, b) => a.mtu - b.mtu)[0];
}
