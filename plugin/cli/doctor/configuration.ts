import { isPlumb, type NetworkList } from '../network-list.ts';
import type { Check } from './check.ts';
import type { Facts } from './facts.ts';
import type { Finding } from './problem.ts';

/** Whether the runtime comes to plumb by its configuration. */
export const configuration: Check = {
  name: 'configuration',
  isGeneral: true,
  find: (facts) => [...unreadable(facts), ...refused(facts), ...order(facts), ...single(facts)],
};

function unreadable({ inventory }: Facts): Finding[] {
  return inventory.networks.faults.map(({ path, message }) => ({
    object: path,
    problem: `it cannot be read, and containerd then takes none of the folder (${message.replace(`${path}: `, '')})`,
    remedy: `mend it (plumb check-config ${path}), or remove it`,
  }));
}

function refused({ networks }: Facts): Finding[] {
  return networks.flatMap(({ path, name, config }) =>
    'fault' in config
      ? {
          object: path,
          problem: `network ${name}: ${config.fault}`,
          remedy: `mend it: plumb check-config ${path}`,
        }
      : [],
  );
}

const isOurs = ({ plugins }: NetworkList): boolean => plugins.some(isPlumb);

/** containerd and CRI-O take the first file. */
function order({ inventory }: Facts): Finding[] {
  const { confDir, lists } = inventory.networks;
  const ours = lists.find(isOurs);
  if (ours === undefined) {
    return [
      {
        object: confDir,
        problem: 'no configuration in this folder names plumb',
        remedy: 'plumb install --conf FILE, or tell which folder the runtime reads: --conf-dir DIR',
      },
    ];
  }
  const before = lists.slice(0, lists.indexOf(ours));
  return before.map(({ path }) => ({
    object: path,
    problem: `it comes before ${ours.path}, so that containerd and CRI-O take it and never call plumb`,
    remedy: `remove it, or rename ${ours.path} so that it comes first`,
  }));
}

function single({ inventory }: Facts): Finding[] {
  return inventory.networks.lists
    .filter((list) => isOurs(list) && !list.path.endsWith('.conflist'))
    .map(({ path }) => ({
      object: path,
      problem: 'podman does not read it: it reads lists (.conflist) only',
      remedy: 'make it a list, if podman is to use it: { "cniVersion": …, "name": …, "plugins": [ … ] }',
      doubtful: true,
    }));
}
