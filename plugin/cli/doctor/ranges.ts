import { parseIp } from '../../../src/ip/address.ts';
import { describeRange, type IpRange, type RangeSet } from '../../../src/ip/range.ts';
import type { Check } from './check.ts';
import type { Facts } from './facts.ts';

/** How full the ranges of a set are. */
export interface Fill {
  readonly network: string;
  readonly set: RangeSet;
  readonly used: number;
  /** All that can be given out. */
  readonly size: bigint;
}

/** The fill of each range set of host-local that is configured. */
export function fills({ networks, inventory }: Facts): Fill[] {
  const leases = [...inventory.attachments.flatMap((it) => it.leases), ...inventory.strayLeases];
  return networks.flatMap(({ name, config }) => {
    if ('fault' in config || config.ipam?.type !== 'host-local') return [];
    const { dataDir, ranges } = config.ipam;
    const own = leases.filter((lease) => lease.network === name && lease.dataDir === dataDir);
    const taken = own.flatMap(({ address }) => parseIp(address) ?? []);
    return ranges.map((set) => ({
      network: name,
      set,
      used: taken.filter((ip) => set.some((range) => isIn(range, ip))).length,
      size: set.reduce((sum, range) => sum + sizeOf(range), 0n),
    }));
  });
}

function isIn({ rangeStart, rangeEnd }: IpRange, ip: IpRange['gateway']): boolean {
  return ip.family === rangeStart.family && ip.value >= rangeStart.value && ip.value <= rangeEnd.value;
}

function sizeOf(range: IpRange): bigint {
  const { rangeStart, rangeEnd, gateway } = range;
  return rangeEnd.value - rangeStart.value + 1n - (isIn(range, gateway) ? 1n : 0n);
}

/** Whether the next container gets an address. */
export const ranges: Check = {
  name: 'range',
  isGeneral: true,
  find: (facts) =>
    fills(facts)
      .filter(({ used, size }) => BigInt(used) >= size)
      .map(({ network, set, used }) => ({
        object: `network ${network}`,
        problem: `no address is free in ${set.map(describeRange).join(', ')}: all ${used} are leased`,
        remedy: `widen the range in its configuration, or collect what is gone: plumb gc ${network}`,
      })),
};
