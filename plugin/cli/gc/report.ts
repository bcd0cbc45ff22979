import type { Item, Judged } from './garbage.ts';

/** An item as `plumb gc --json` prints it: docs/cli.md has the keys, which stay. What is not known is null. */
export interface ItemJson {
  readonly kind: Item['kind'];
  readonly network: string | null;
  readonly containerId: string | null;
  readonly ifname: string | null;
  /** Name of the host end or of the ifb. */
  readonly link: string | null;
  readonly addresses: readonly string[];
  readonly why: string;
}

const UNKNOWN = { network: null, containerId: null, ifname: null, link: null, addresses: [] } as const;

/** See {@link ItemJson}. */
export function itemJson({ item, why }: Judged): ItemJson {
  switch (item.kind) {
    case 'attachment': {
      const { network, containerId, ifname, hostName, addresses } = item.attachment;
      return { kind: item.kind, network, containerId, ifname, link: hostName, addresses, why };
    }
    case 'lease': {
      const { containerId, ifname } = item.owner;
      const [{ network }] = item.leases;
      const addresses = item.leases.map(({ address }) => address);
      return {
        ...{ ...UNKNOWN, kind: item.kind, network, containerId },
        ...{ ifname: ifname === '' ? null : ifname, addresses, why },
      };
    }
    case 'record':
      return { ...UNKNOWN, kind: item.kind, network: item.record.network, link: item.record.hostName, why };
    case 'rules':
      return { ...UNKNOWN, kind: item.kind, link: item.hostName, why };
    case 'ifb':
      return { ...UNKNOWN, kind: item.kind, link: item.name, why };
  }
}

/** An item in words. */
export function describeItem({ kind, network, containerId, ifname, link, addresses }: ItemJson): string {
  const attached = `${containerId}${ifname === null ? '' : ` ${ifname}`} on ${network}`;
  switch (kind) {
    case 'attachment':
      return `attachment ${attached}${addresses.length === 0 ? '' : ` (${addresses.join(', ')})`}`;
    case 'lease':
      return `lease of ${addresses.join(', ')} for ${attached}`;
    case 'record':
      return `record ${link} of ${network}`;
    case 'rules':
      return `rules for ${link}`;
    case 'ifb':
      return `ifb ${link}`;
  }
}
