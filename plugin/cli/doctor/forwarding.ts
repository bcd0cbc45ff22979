import type { Check } from './check.ts';
import { hasFamily, isUp } from './facts.ts';
import { nameOf } from './problem.ts';

const SYSCTLS = { 4: 'net.ipv4.ip_forward', 6: 'net.ipv6.conf.all.forwarding' } as const;

/** Whether the host forwards, at all and from each host end. */
export const forwarding: Check = {
  name: 'forwarding',
  find: ({ patients, isForwarding }) => {
    const off = ([4, 6] as const).filter(
      (family) => !isForwarding[family] && patients.some((patient) => hasFamily(patient, family)),
    );
    const ends = off.includes(4)
      ? []
      : patients.filter(
          (patient) =>
            hasFamily(patient, 4) &&
            isUp(patient.attachment.hostEnd) &&
            patient.switches?.forwarding === false,
        );
    return [
      ...off.map((family) => ({
        object: 'host',
        problem: `IPv${family} is not forwarded`,
        remedy: `sysctl -w ${SYSCTLS[family]}=1, and keep it in /etc/sysctl.d`,
      })),
      ...ends.map(({ attachment }) => ({
        object: nameOf(attachment),
        problem: `IPv4 is not forwarded from its host end ${attachment.hostName}`,
        remedy: `sysctl -w net.ipv4.conf.${attachment.hostName}.forwarding=1`,
      })),
    ];
  },
};
