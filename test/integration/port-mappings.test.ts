import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type IpAddress, parseIp } from '../../src/ip/address.ts';
import {
  addPortMappings,
  listPortMappings,
  listSourceNat,
  type Mapped,
} from '../../src/nftables/port-mappings.ts';
import type * as libc from '../../src/sys/libc.ts';
import { intruder } from '../support/intruder.ts';
import { makeNetns, type Netns, run } from '../support/netns.ts';

vi.mock('../../src/sys/libc.ts', async (original) => {
  const { libcWithIntruder } = await import('../support/intruder.ts');
  return libcWithIntruder(await original<typeof libc>());
});

let host: Netns;
beforeEach(() => {
  host = makeNetns();
});
afterEach(() => {
  intruder.countdown = 0;
  host.remove();
});

function ip(text: string): IpAddress {
  const address = parseIp(text);
  if (address === undefined) throw new Error(text);
  return address;
}

const mapped = (hostName: string, hostPort: number, hostIp?: string): Mapped => ({
  hostName,
  label: 'net eth0 c',
  mappings: [
    {
      hostPort,
      protocol: 6,
      address: ip('10.9.0.2'),
      port: 80,
      ...(hostIp === undefined ? {} : { hostIp: ip(hostIp) }),
    },
  ],
  nat: { snat: true, masqAll: false },
});
const EVERY = 'plumb0000000001';
const ONE = 'plumb0000000002';
const everyAddress = mapped(EVERY, 8080);
const oneAddress = mapped(ONE, 8080, '192.0.2.1');
const alive = (): boolean => false;

test.each([
  ['every address, while one', everyAddress, oneAddress],
  ['one address, while every', oneAddress, everyAddress],
])('B74: a port on %s is mapped at any moment of it: never do both have it', (_, mine, theirs) => {
  host.inside(() => {
    let moments = 0;
    for (let isOver = false; !isOver; moments++) {
      run('nft', 'flush', 'ruleset');
      addPortMappings(mapped('plumb0000000003', 9090), alive);
      isOver = true;
      let theirConflict: unknown;
      intruder.act = () => {
        isOver = false;
        theirConflict = addPortMappings(theirs, alive);
      };
      intruder.countdown = moments + 1;
      const conflict = addPortMappings(mine, alive);
      intruder.countdown = 0;
      const having = [
        ...(conflict === undefined ? [mine.hostName] : []),
        ...(theirConflict === undefined && !isOver ? [theirs.hostName] : []),
      ];
      expect(having.length).toBeLessThanOrEqual(1);
      const owners = listPortMappings().flatMap(({ owner }) => owner ?? []);
      expect(owners.toSorted()).toEqual([...having, 'plumb0000000003']);
      // Nobody who is refused leaves anything of his.
      expect(listSourceNat().toSorted()).toEqual([...having, 'plumb0000000003']);
    }
    expect(moments).toBeGreaterThan(3);
  });
});
