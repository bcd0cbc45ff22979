import type { Attachment } from './inventory.ts';

/**
 * The attachments that `id` means: those of the container with that id; else those with that host link or that address;
 * else those of the only container whose id begins so. Throws when it means none, or several containers.
 */
export function selectAttachments(attachments: readonly Attachment[], id: string): Attachment[] {
  const exact = attachments.filter(({ containerId }) => containerId === id);
  if (exact.length > 0) return exact;
  const other = attachments.filter(
    ({ hostName, addresses }) => hostName === id || addresses.some((cidr) => cidr.split('/')[0] === id),
  );
  if (other.length > 0) return other;
  const begun = attachments.filter(({ containerId }) => containerId.startsWith(id));
  const ids = [...new Set(begun.map(({ containerId }) => containerId))];
  if (ids.length === 1) return begun;
  if (ids.length === 0) throw new Error(`there is no attachment ${JSON.stringify(id)}; plumb ls lists all`);
  throw new Error(`${ids.length} containers have an id that begins with ${id}: ${ids.join(', ')}`);
}
