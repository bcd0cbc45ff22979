import { formatIp, parseIp } from '../../../src/ip/address.ts';
import { describePort, type ListedPort, protocolName } from '../../../src/nftables/port-mappings.ts';
import type { RecordedPort } from '../../../src/state/record.ts';
import type { Check } from './check.ts';
import type { Facts, Patient } from './facts.ts';
import { type Finding, nameOf } from './problem.ts';

/** Whether each port of the host leads where it should. */
export const mappedPorts: Check = {
  name: 'port',
  find: (facts) => {
    const wanting = facts.patients.filter(
      ({ attachment: { record, hostEnd } }) => record?.ports !== undefined && hostEnd !== undefined,
    );
    if (wanting.length > 0 && !facts.hasPortMappingRules) {
      return [
        {
          object: 'table inet plumb-ports',
          problem: `the table or its rules are gone: no port leads to a container, and ${wanting.length} have some`,
          remedy: 'start a container that has ports: its ADD gives them back to all',
        },
      ];
    }
    return wanting.flatMap((patient) => [
      ...(patient.attachment.record?.ports ?? []).flatMap((port) => faultOf(port, patient, facts)),
      ...loopback(patient, facts),
    ]);
  },
};

function faultOf(port: RecordedPort, patient: Patient, facts: Facts): Finding[] {
  const { attachment } = patient;
  const found = facts.ports.find((mapped) => isPort(mapped, port));
  const name = `${describePort(port)}${port.hostIp === undefined ? '' : ` on ${port.hostIp}`} (IPv${port.family})`;
  const object = nameOf(attachment);
  if (found === undefined) {
    const problem = `port ${name} of the host does not lead to it`;
    return [{ object, problem, remedy: addElement(port, patient) }];
  }
  if (found.owner === attachment.hostName) return [];
  const owner = facts.inventory.attachments.find(({ hostName }) => hostName === found.owner);
  const other = owner === undefined ? (found.owner ?? 'somebody else') : nameOf(owner);
  return [
    {
      object,
      problem: `port ${name} of the host leads to ${other}`,
      remedy: 'give one of both another port, and make it anew',
    },
  ];
}

function isPort({ port }: ListedPort, wanted: RecordedPort): boolean {
  const ip = wanted.hostIp === undefined ? undefined : parseIp(wanted.hostIp);
  return (
    port.family === wanted.family &&
    port.protocol === wanted.protocol &&
    port.hostPort === wanted.hostPort &&
    port.hostIp?.value === ip?.value
  );
}

function addElement(port: RecordedPort, { attachment, pods }: Patient): string {
  const { family, protocol, hostPort, hostIp, containerPort } = port;
  const address = pods.find((pod) => pod.address.address.family === family)?.address.address;
  const key = [...(hostIp === undefined ? [] : [hostIp]), protocolName(protocol), hostPort].join(' . ');
  const map = `${hostIp === undefined ? 'any' : 'bound'}${family}`;
  const target = `${address === undefined ? 'ADDRESS' : formatIp(address)} . ${containerPort ?? 'CONTAINERPORT'}`;
  const { hostName, network, ifname, containerId } = attachment;
  return `nft add element inet plumb-ports ${map} '{ ${key} comment "${hostName} ${network} ${ifname} ${containerId}" : ${target} }'`;
}

/** 127.0.0.1 leads nowhere where the kernel does not let it out by the host end. */
function loopback({ attachment, switches }: Patient, { sourceNat }: Facts): Finding[] {
  const { record, hostName } = attachment;
  const wanted = sourceNat.has(hostName) && record?.ports?.some(({ family }) => family === 4) === true;
  if (!wanted || switches === undefined || switches.routeLocalnet) return [];
  return [
    {
      object: nameOf(attachment),
      problem: `its ports do not answer on 127.0.0.1: route_localnet of ${hostName} is off`,
      remedy: `sysctl -w net.ipv4.conf.${hostName}.route_localnet=1`,
    },
  ];
}
