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

/** Name of the ifb that shapes what the container sends: `plumbi`, which no host end begins with, and 9 digits of its name. */
export function ifbName(key: AttachmentKey): string {
  return `plumbi${hash(key).slice(-9)}`;
}

/** Whether a link's name is one that {@link ifbName} makes. */
export function isIfb(name: string): boolean {
  return /^plumbi[0-9a-f]{9}$/.test(name);
}

/** The names that the host end of an ifb can have. */
export function hostEndsOfIfb(name: string): string[] {
  return Array.from('0123456789abcdef', (digit) => `plumb${digit}${name.slice('plumbi'.length)}`);
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

/** What a link is known by, beside its name. */
interface Marks {
  readonly alias: string | undefined;
  readonly mac: string | undefined;
}

/** Whether a link under the name of an attachment's host end is that host end, and not somebody else's. */
export function isHostEndOf(link: Marks, key: AttachmentKey): boolean {
  return isMarked(link, key, macAddresses(key).host);
}

/** Whether a link under the name of an attachment's ifb is that ifb, and not somebody else's. */
export function isIfbOf(link: Marks, key: AttachmentKey): boolean {
  return isMarked(link, key, macAddresses(key).ifb);
}

/** Whether a link is an ifb of some attachment's, by its name and by the marks that {@link isIfbOf} goes by. */
export function isOwnIfb(link: Marks & { readonly name: string }): boolean {
  const key = attachmentOfAlias(link.alias);
  if (key !== undefined) return link.name === ifbName(key);
  return link.alias === undefined && link.mac?.replaceAll(':', '').slice(-9) === link.name.slice(-9);
}

function isMarked(link: Marks, key: AttachmentKey, mac: string): boolean {
  // The MAC is there from the first moment, the alias comes a little later but tells more: two attachments may share a
  // hash.
  if (link.alias?.startsWith(ALIAS_MARK) === true) return link.alias === hostInterfaceAlias(key);
  return link.mac === mac;
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
 * Locally administered unicast MACs of both ends and of the ifb, the same for the same attachment. Setting them explicitly
 * keeps udev's MACAddressPolicy=persistent away (NET_ADDR_SET).
 */
export function macAddresses(key: AttachmentKey): {
  readonly host: string;
  readonly container: string;
  readonly ifb: string;
} {
  const digits = hash(key).slice(-10);
  const tail = [0, 2, 4, 6, 8].map((at) => digits.slice(at, at + 2)).join(':');
  return { host: `06:${tail}`, container: `02:${tail}`, ifb: `0a:${tail}` };
}
