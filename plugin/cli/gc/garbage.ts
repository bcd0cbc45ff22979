import type { LeaseOwner } from '../../../src/ipam/lease.ts';
import type { DamagedRecord } from '../found.ts';
import type { Attachment, Inventory } from '../inventory.ts';
import type { Lease } from '../leases.ts';

/** What is to be collected, or kept although it looks like it. */
export type Item =
  | { readonly kind: 'attachment'; readonly attachment: Attachment }
  | { readonly kind: 'lease'; readonly owner: LeaseOwner; readonly leases: readonly [Lease, ...Lease[]] }
  | { readonly kind: 'record'; readonly record: DamagedRecord }
  | { readonly kind: 'rules'; readonly hostName: string }
  | { readonly kind: 'ifb'; readonly name: string };

/** An item and what is to be said about it. */
export interface Judged {
  readonly item: Item;
  readonly why: string;
}

/** What {@link findGarbage} finds. */
export interface Garbage {
  readonly collectable: readonly Judged[];
  /** What lives, or may live, although something about it is amiss. */
  readonly kept: readonly Judged[];
}

/** How things are, for {@link findGarbage}. */
export interface Circumstances {
  /** Now, in milliseconds since 1970. */
  readonly now: number;
  /** When a lease was made, in milliseconds since 1970. */
  readonly madeAt: (lease: Lease) => number;
  /** Whether some network namespace has an address, or the host routes it to one. */
  readonly isInUse: (address: string) => boolean;
}

// An ADD that is still at work has a lease before it has a record, and a record before it has a link.
const GRACE_MS = 60_000;

/**
 * Finds what nobody lives for. Of `network` alone, if it is given: what has lost its network's name (elements of the
 * ruleset, ifbs) is left then.
 */
export function findGarbage(
  inventory: Inventory,
  network: string | undefined,
  circumstances: Circumstances,
): Garbage {
  const collectable: Judged[] = [];
  const kept: Judged[] = [];
  const isMeant = (it: { readonly network: string }): boolean =>
    network === undefined || it.network === network;
  for (const attachment of inventory.attachments.filter(isMeant)) {
    const item: Item = { kind: 'attachment', attachment };
    if (attachment.namespace === 'gone') collectable.push({ item, why: whyGone(attachment) });
    else if (attachment.namespace === 'detached' && attachment.record !== undefined) {
      const { path } = attachment.record.netns;
      kept.push({ item, why: `${path} is not its namespace any more, but the namespace lives` });
    }
  }
  for (const leases of byOwner(inventory.strayLeases.filter(isMeant))) {
    const { isKept, why } = judgeLeases(leases, circumstances);
    (isKept ? kept : collectable).push({ item: { kind: 'lease', owner: leases[0].owner, leases }, why });
  }
  for (const record of inventory.damagedRecords.filter(isMeant)) {
    const item: Item = { kind: 'record', record };
    if (isRecent(record.writtenAt, circumstances)) kept.push({ item, why: 'an ADD may be at work' });
    else collectable.push({ item, why: 'it cannot be read, and there is no host end of that name' });
  }
  if (network === undefined) {
    for (const hostName of inventory.strayElements)
      collectable.push({ item: { kind: 'rules', hostName }, why: 'there is no link of that name' });
    for (const name of inventory.strayIfbs)
      collectable.push({ item: { kind: 'ifb', name }, why: 'there is no host end that it could belong to' });
  }
  return { collectable, kept };
}

function whyGone({ record, hostEnd, ifb }: Attachment): string {
  const links = hostEnd === undefined ? 'its link is gone too' : 'its link leads nowhere';
  if (record !== undefined) return `its namespace is gone from ${record.netns.path}; ${links}`;
  return ifb === undefined ? links : 'there is an ifb, but no host end';
}

function byOwner(leases: readonly Lease[]): (readonly [Lease, ...Lease[]])[] {
  const groups = Map.groupBy(
    leases,
    ({ dataDir, network, owner }) => `${dataDir}/${network} ${owner.containerId} ${owner.ifname}`,
  );
  return [...groups.values()].flatMap(([first, ...others]) =>
    first === undefined ? [] : [[first, ...others] as const],
  );
}

function judgeLeases(
  leases: readonly Lease[],
  circumstances: Circumstances,
): { readonly isKept: boolean; readonly why: string } {
  if (leases.some((lease) => isRecent(circumstances.madeAt(lease), circumstances)))
    return { isKept: true, why: 'an ADD may be at work' };
  const used = leases.filter(({ address }) => circumstances.isInUse(address));
  if (used.length === 0)
    return { isKept: false, why: 'there is no attachment, and no network namespace has the address' };
  const addresses = used.map(({ address }) => address).join(', ');
  return { isKept: true, why: `something that plumb does not know uses ${addresses}` };
}

function isRecent(at: number | undefined, { now }: Circumstances): boolean {
  return at !== undefined && now - at < GRACE_MS;
}
