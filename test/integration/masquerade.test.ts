import { afterEach, beforeEach, expect, test } from 'vitest';
import { addMasquerade, listMasquerades, removeMasquerade } from '../../src/nftables/masquerade.ts';
import { makeNetns, type Netns, run } from '../support/netns.ts';

let host: Netns;
beforeEach(() => {
  host = makeNetns();
});
afterEach(() => host.remove());

test('nft lists the masqueraded host ends by their names', () => {
  const listed = host.inside(() => {
    addMasquerade('plumb0123456789', []);
    addMasquerade('plumbabcdefabcd', []);
    return listMasquerades();
  });
  const shown = run('ip', 'netns', 'exec', host.name, 'nft', 'list', 'set', 'inet', 'plumb', 'masq');
  expect(listed.toSorted()).toEqual(['plumb0123456789', 'plumbabcdefabcd']);
  expect(shown.match(/"[^"]*"/g)?.toSorted()).toEqual(['"plumb0123456789"', '"plumbabcdefabcd"']);

  host.inside(() => removeMasquerade('plumb0123456789'));
  expect(host.inside(listMasquerades)).toEqual(['plumbabcdefabcd']);
});
