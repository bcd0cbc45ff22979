import { formatIp, parsePrefix } from '../../../src/ip/address.ts';
import type { Attachment } from '../inventory.ts';
import type { Check } from './check.ts';
import { nameOf, type Problem } from './problem.ts';

/** Whether each container's addresses are leased to it: one that is not is given to the next container. */
export const leases: Check = {
  name: 'lease',
  find: ({ patients }) => patients.flatMap(({ attachment }) => missing(attachment)),
};

function missing(attachment: Attachment): Omit<Problem, 'check'>[] {
  const { record, namespace, network, containerId, ifname } = attachment;
  const dataDir = record?.dataDir;
  if (dataDir === undefined || namespace === 'gone') return [];
  const leased = new Set(attachment.leases.map(({ address }) => address));
  return (record?.ips ?? [])
    .flatMap((cidr) => parsePrefix(cidr) ?? [])
    .map(({ address }) => formatIp(address))
    .filter((ip) => !leased.has(ip))
    .map((ip) => ({
      object: nameOf(attachment),
      problem: `its address ${ip} is not leased to it (${dataDir}/${network})`,
      remedy: `printf '${containerId}\\r\\n${ifname}' > ${dataDir}/${network}/${ip}`,
    }));
}

/** Whether there are leases, records and rules that are nobody's any more. */
export const strays: Check = {
  name: 'stray',
  isGeneral: true,
  find: ({ inventory }) => [
    ...inventory.strayLeases.map(({ dataDir, network, address, owner }) => ({
      object: `lease ${dataDir}/${network}/${address}`,
      problem: `it is leased to ${`container ${owner.containerId} ${owner.ifname}`.trim()}, which has no attachment`,
      remedy: `plumb gc ${network}`,
    })),
    ...inventory.damagedRecords.map(({ runDir, network, hostName }) => ({
      object: `record ${runDir}/${network}/${hostName}.json`,
      problem: 'it cannot be read',
      remedy: `plumb gc ${network}`,
    })),
    ...inventory.strayElements.map((hostName) => ({
      object: `link ${hostName}`,
      problem: 'it is gone, and the rules still name it',
      remedy: 'plumb gc',
    })),
  ],
};
