import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { parsePrefix } from '../../src/ip/address.ts';
import {
  addMasquerade,
  hasMasquerade,
  listMasquerades,
  removeMasquerade,
} from '../../src/nftables/masquerade.ts';
import type * as libc from '../../src/sys/libc.ts';
import { intruder } from '../support/intruder.ts';
import { makeNetns, type Netns, run } from '../support/netns.ts';

const flush = (): string => run('nft', 'flush', 'ruleset');

vi.mock('../../src/sys/libc.ts', async (original) => {
  const { libcWithIntruder } = await import('../support/intruder.ts');
  return libcWithIntruder(await original<typeof libc>());
});

const SUBNETS = ['10.9.0.0/24', 'fd09::/64'].flatMap((text) => parsePrefix(text) ?? []);

let host: Netns;
beforeEach(() => {
  host = makeNetns();
});
afterEach(() => {
  intruder.countdown = 0;
  host.remove();
});

const nft = (...args: string[]): string => run('ip', 'netns', 'exec', host.name, 'nft', ...args);

test('nft lists the masqueraded host ends by their names', () => {
  const listed = host.inside(() => {
    addMasquerade('plumb0123456789', []);
    addMasquerade('plumbabcdefabcd', []);
    return listMasquerades();
  });
  const shown = nft('list', 'set', 'inet', 'plumb', 'masq');
  expect(listed.toSorted()).toEqual(['plumb0123456789', 'plumbabcdefabcd']);
  expect(shown.match(/"[^"]*"/g)?.toSorted()).toEqual(['"plumb0123456789"', '"plumbabcdefabcd"']);

  host.inside(() => removeMasquerade('plumb0123456789'));
  expect(host.inside(listMasquerades)).toEqual(['plumbabcdefabcd']);
});

test('a subnet that is covered already does not keep the others out', () => {
  const prefixes = (...texts: string[]) => texts.flatMap((text) => parsePrefix(text) ?? []);
  host.inside(() => {
    addMasquerade('plumb0000000001', prefixes('10.9.0.0/24'));
    addMasquerade('plumb0000000002', prefixes('10.9.0.0/25', 'fd09::/64', '10.10.0.0/24'));
    expect(listMasquerades().toSorted()).toEqual(['plumb0000000001', 'plumb0000000002']);
  });
  const elements = (set: string): string[] | null =>
    nft('list', 'set', 'inet', 'plumb', set).match(/[\da-f.:]+\/\d+ \. [\da-f.:]+\/\d+/g);
  expect(elements('local4')).toEqual(['10.9.0.0/24 . 10.9.0.0/24', '10.10.0.0/24 . 10.10.0.0/24']);
  expect(elements('local6')).toEqual(['fd09::/64 . fd09::/64']);
});

test('a subnet that has become larger takes the place of what lies within it', () => {
  const prefixes = (...texts: string[]) => texts.flatMap((text) => parsePrefix(text) ?? []);
  const elements = (): string[] =>
    nft('list', 'set', 'inet', 'plumb', 'local4')
      .match(/[\d.]+\/\d+ \. [\d.]+\/\d+/g)
      ?.toSorted() ?? [];
  host.inside(() => {
    addMasquerade('plumb0000000001', prefixes('10.1.0.0/24', '10.1.7.0/24', '10.2.0.0/24'));
    addMasquerade('plumb0000000002', prefixes('10.1.0.0/16'));
  });
  expect(elements()).toEqual(['10.1.0.0/16 . 10.1.0.0/16', '10.2.0.0/24 . 10.2.0.0/24']);
  host.inside(() => addMasquerade('plumb0000000003', prefixes('10.1.0.0/24')));
  expect(elements()).toEqual(['10.1.0.0/16 . 10.1.0.0/16', '10.2.0.0/24 . 10.2.0.0/24']);
});

test('two first calls at once make the rules once, and both have their element', () => {
  const listed = host.inside(() => {
    intruder.countdown = 2;
    intruder.act = () => addMasquerade('plumb0000000001', SUBNETS);
    addMasquerade('plumb0000000002', SUBNETS);
    return listMasquerades();
  });
  expect(listed.toSorted()).toEqual(['plumb0000000001', 'plumb0000000002']);
  expect(nft('list', 'chain', 'inet', 'plumb', 'postrouting').match(/masquerade/g)).toHaveLength(2);
});

test('a ruleset that is flushed between two attempts is made again', () => {
  const listed = host.inside(() => {
    intruder.countdown = 2;
    intruder.act = () => {
      addMasquerade('plumb0000000001', SUBNETS);
      intruder.countdown = 1;
      intruder.act = flush;
    };
    addMasquerade('plumb0000000002', SUBNETS);
    return listMasquerades();
  });
  expect(listed).toEqual(['plumb0000000002']);
  expect(nft('list', 'chain', 'inet', 'plumb', 'postrouting').match(/masquerade/g)).toHaveLength(2);
});

test('somebody who removes and makes it again before every request is an error, not an endless loop', () => {
  let isThere = true;
  host.inside(() => {
    intruder.countdown = 1;
    intruder.act = () => {
      if (isThere) flush();
      else addMasquerade('plumb0000000001', SUBNETS);
      isThere = !isThere;
      intruder.countdown = 1;
    };
    expect(() => addMasquerade('plumb0000000002', SUBNETS)).toThrow(/inet plumb.*: NFT_MSG_NEW\w+: ENOENT/);
  });
});

test('an element that another process removes meanwhile is no error', () => {
  host.inside(() => {
    addMasquerade('plumb0000000001', SUBNETS);
    intruder.countdown = 2;
    intruder.act = () => removeMasquerade('plumb0000000001');
    removeMasquerade('plumb0000000001');
    expect(hasMasquerade('plumb0000000001')).toBe(false);
  });
});
