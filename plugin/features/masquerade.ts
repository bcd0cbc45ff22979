import {
  addMasquerade,
  hasMasquerade,
  listMasquerades,
  removeMasquerade,
} from '../../src/nftables/masquerade.ts';
import type { Feature } from './feature.ts';

/** `ipMasq`: what leaves the network gets the host's address. */
export const masquerade: Feature = {
  add({ config, hostEnd, pods }, undo) {
    if (!config.ipMasq) return;
    undo.register(() => removeMasquerade(hostEnd.name));
    addMasquerade(
      hostEnd.name,
      pods.map(({ address }) => address),
    );
  },
  check: ({ config, hostEnd }) =>
    config.ipMasq && !hasMasquerade(hostEnd.name) ? [`masquerading of ${hostEnd.name} is missing`] : [],
  remove({ hostName, record, later }) {
    if (record?.ipMasq === false) return;
    removeMasquerade(hostName, later);
  },
  survey() {
    const masqueraded = listMasquerades();
    return (present) => {
      for (const hostName of masqueraded) if (!present.has(hostName)) removeMasquerade(hostName);
    };
  },
};
