import { fnv1a64 } from '../src/hash.ts';

/** What one attachment is known by: the network, the container and the interface inside it. */
export interface AttachmentKey {
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
}

function hash(key: AttachmentKey): string {
  return fnv1a64(`${key.network}\0${key.containerId}\0${key.ifname}`);
}

/** Name of the host end: `plumb` and 10 hexadecimal digits, 15 characters as the kernel allows. */
export function hostInterfaceName(key: AttachmentKey): string {
  return `plumb${hash(key).slice(-10)}`;
}

/** Whether a link's name is one that {@link hostInterfaceName} makes. */
export function isHostInterface(name: string): boolean {
  return /^plumb[0-9a-f]{10}$/.test(name);
}

// IFALIASZ without the NUL and, as the kernel counts, one more.
const ALIAS_BYTES = 254;
const ALIAS_MARK = 'plumb ';

/**
 * The alias of the host end: it tells an administrator whose it is (`ip link`), and GC which network it belongs to.
 * A container id that is too long for the kernel is cut.
 */
export function hostInterfaceAlias(key: AttachmentKey): string {
  return `${ALIAS_MARK}${key.network} ${key.ifname} ${key.containerId}`.slice(0, ALIAS_BYTES);
}

/** Whether a link under the name of an attachment's host end is that host end, and not somebody else's. */
export function isHostEndOf(
  link: { readonly alias: string | undefined; readonly mac: string | undefined },
  key: AttachmentKey,
): boolean {
  // The MAC is there from the first moment, the alias comes a little later but tells more: two attachments may share a
  // hash.
  if (link.alias?.startsWith(ALIAS_MARK) === true) return link.alias === hostInterfaceAlias(key);
  return link.mac === macAddresses(key).host;
}

/** The attachment that the alias of a host end names; undefined if it names none. What was cut off stays cut off. */
export function attachmentOfAlias(alias: string | undefined): AttachmentKey | undefined {
  const [mark, network, ifname, containerId, ...rest] = alias?.split(' ') ?? [];
  if (`${mark} ` !== ALIAS_MARK || rest.length > 0) return undefined;
  return network === undefined || ifname === undefined || containerId === undefined
    ? undefined
    : { network, ifname, containerId };
}

/**
 * Locally administered unicast MACs of both ends, the same for the same attachment. Setting them explicitly
 * keeps udev's MACAddressPolicy=persistent away (NET_ADDR_SET).
 */
export function macAddresses(key: AttachmentKey): { readonly host: string; readonly container: string } {
  const digits = hash(key).slice(-10);
  const tail = [0, 2, 4, 6, 8].map((at) => digits.slice(at, at + 2)).join(':');
  return { host: `06:${tail}`, container: `02:${tail}` };
}
