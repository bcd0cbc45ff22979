import { parsePrefix } from '../../src/ip/address.ts';
import {
  addMasquerade,
  hasMasquerade,
  listMasquerades,
  type Masqueraded,
  removeMasquerade,
  restoreMasquerades,
} from '../../src/nftables/masquerade.ts';
import type { Recorded } from '../others.ts';
import type { Feature } from './feature.ts';

/** `ipMasq`: what leaves the network gets the host's address. */
export const masquerade: Feature = {
  name: 'masquerade',
  add({ config, hostEnd, pods, others }, undo) {
    if (!config.ipMasq) return;
    undo.register(() => removeMasquerade(hostEnd.name));
    addMasquerade(
      hostEnd.name,
      pods.map(({ address }) => address),
      () => masqueradedOf(others.list()),
    );
  },
  check: ({ config, hostEnd }) =>
    config.ipMasq && !hasMasquerade(hostEnd.name) ? [`masquerading of ${hostEnd.name} is missing`] : [],
  remove({ hostName, record, later }) {
    if (record?.ipMasq === false) return;
    removeMasquerade(hostName, later);
  },
  restore: (recorded) => restoreMasquerades(masqueradedOf(recorded)),
  survey() {
    const masqueraded = listMasquerades();
    return (present) => {
      for (const hostName of masqueraded) if (!present.has(hostName)) removeMasquerade(hostName);
    };
  },
};

function masqueradedOf(recorded: readonly Recorded[]): Masqueraded[] {
  return recorded.flatMap(({ hostName, record }) =>
    record.ipMasq ? [{ hostName, subnets: record.ips.flatMap((ip) => parsePrefix(ip) ?? []) }] : [],
  );
}
