import type { Firewall } from '../../src/cni/firewall.ts';
import {
  type Acceptance,
  type Accepted,
  addAcceptance,
  chainsThatLack,
  describeMark,
  isMarked,
  listAccepted,
  passes,
  removeAcceptance,
  restoreAcceptances,
} from '../../src/nftables/firewall.ts';
import { describeChain, foreignFirewalls } from '../../src/nftables/foreign.ts';
import type { Recorded } from '../others.ts';
import type { Attached, Feature } from './feature.ts';

type Family = 4 | 6;

/** `markAcceptBit`: forwarding is accepted for the container where another program's table would drop it. */
export const firewall: Feature = {
  name: 'firewall',
  add(it, undo) {
    const { config, hostEnd, others } = it;
    if (config.firewall === undefined) return;
    const acceptance = acceptanceOf(config.firewall);
    undo.register(() => removeAcceptance(hostEnd.name, acceptance.bit));
    addAcceptance(hostEnd.name, acceptance, familiesOf(it), () => acceptedOf(others.list()));
  },
  check(it) {
    const { config, hostEnd } = it;
    const marked =
      config.firewall === undefined || isMarked(hostEnd.name, config.firewall.markBit)
        ? []
        : [`forwarding for ${hostEnd.name} is not marked as accepted (table inet plumb-firewall)`];
    return [...marked, ...forwardingFaults(config.firewall, familiesOf(it))];
  },
  remove({ hostName, record, later }) {
    if (record !== undefined && record.markAcceptBit === undefined) return;
    removeAcceptance(hostName, record?.markAcceptBit, later);
  },
  restore: (recorded) => restoreAcceptances(acceptedOf(recorded)),
  survey() {
    const accepted = listAccepted();
    return (present) => {
      for (const hostName of accepted) if (!present.has(hostName)) removeAcceptance(hostName, undefined);
    };
  },
};

/**
 * What keeps the host from forwarding for containers with addresses of these families, in words: a chain that drops for
 * certain, or one that should accept the mark and does not. What may drop, or may not, is not told. Throws
 * {@link NetlinkError}.
 */
export function forwardingFaults(wanted: Firewall | undefined, families: readonly Family[]): string[] {
  const lacking =
    wanted === undefined ? [] : chainsThatLack(acceptanceOf(wanted), families).map(describeChain);
  const dropping = foreignFirewalls()
    .dropping.filter(({ certain, family }) => certain && families.some((one) => passes(one, family)))
    .map(describeChain)
    .filter((chain) => !lacking.includes(chain));
  return [
    ...lacking.map(
      (chain) => `chain ${chain} lacks the rule that accepts the mark ${describeMark(wanted?.markBit ?? 0)}`,
    ),
    ...dropping.map(
      (chain) =>
        `chain ${chain} drops what is forwarded (policy drop, and no rule that accepts); ${remedy(chain, wanted)}`,
    ),
  ];
}

function remedy(chain: string, wanted: Firewall | undefined): string {
  const isIptables = /^ip6? filter FORWARD$/.test(chain);
  const keys = [
    ...(wanted === undefined ? ['set markAcceptBit'] : []),
    ...(isIptables ? [] : [`name "${chain}" in acceptChains`]),
  ];
  return `accept it there, or ${keys.join(' and ')}`;
}

function acceptanceOf({ markBit, adminChain, chains }: Firewall): Acceptance {
  return { bit: markBit, chains, ...(adminChain === undefined ? {} : { adminChain }) };
}

function acceptedOf(recorded: readonly Recorded[]): Accepted[] {
  return recorded.flatMap(({ hostName, record: { markAcceptBit: bit } }) =>
    bit === undefined ? [] : [{ hostName, bit }],
  );
}

function familiesOf({ pods }: Attached): Family[] {
  return [...new Set(pods.map(({ address }) => address.address.family))];
}
