import { ConfigError } from '../errors.ts';
import { parseIp } from '../ip/address.ts';
import { closeQuietly, openReadOnly, statSync } from '../sys/fs.ts';
import { withProcessNetns } from '../sys/netns.ts';
import { IFA_F_NODAD } from './abi/if_addr.ts';
import { RT_SCOPE_LINK } from './abi/rtnetlink.ts';
import type { Connection } from './conn.ts';
import type { Link } from './message/link.ts';
import { addAddress } from './ops/addresses.ts';
import {
  createVeth,
  deleteLink,
  type FirstVethEnd,
  findLink,
  getLink,
  getLinkIndex,
  listLinks,
  setLink,
  type VethEnd,
} from './ops/links.ts';
import { replaceRoute, routeRequest } from './ops/routes.ts';
import { connect } from './socket.ts';

function withConnection<T>(fn: (conn: Connection) => T): T {
  const conn = connect();
  try {
    return fn(conn);
  } finally {
    conn.close();
  }
}

/**
 * Creates a veth pair with both ends in the current namespace, or, given {@link VethEnd}s, each end in its own
 * namespace with its final name, MAC and MTU in one request. Throws {@link NetlinkError}: EEXIST, EPERM, EINVAL.
 */
export function createVethPair(host: string | FirstVethEnd, peer: string | VethEnd): void {
  const end = <T>(value: string | T): T | VethEnd => (typeof value === 'string' ? { name: value } : value);
  withConnection((conn) => createVeth(conn, end(host), end(peer)));
}

/**
 * Moves a link into the namespace behind `netnsFd` and renames it there, with one request that carries
 * IFLA_NET_NS_FD and IFLA_IFNAME. The caller keeps its fd; when it fails the link is where it was, under its old
 * name, but may be down and without its addresses, as the kernel leaves it after a move. Throws {@link NotFoundError} for a missing link, {@link NetlinkError} EEXIST for a name that is taken there.
 */
export function moveLinkIntoNetnsFdAndRename(link: string, netnsFd: number, newName: string): void {
  withConnection((conn) => {
    const { index, mac } = getLink(conn, link);
    try {
      setLink(conn, index, { netnsFd, name: newName });
    } catch (error) {
      if (findLink(conn, index) === undefined) bringBack(link, mac, netnsFd);
      throw error;
    }
  });
}

// The kernel takes IFLA_IFNAME into account before the move only if the old name is taken in the target too;
// otherwise it moves first and renames then, and a rename that fails leaves the link over there
// (do_setlink() in net/core/rtnetlink.c).
function bringBack(name: string, mac: string | undefined, netnsFd: number): void {
  const home = openReadOnly('/proc/thread-self/ns/net');
  const there = connect({ netnsFd });
  try {
    if (findLink(there, name)?.mac === mac) setLink(there, name, { netnsFd: home });
  } finally {
    there.close();
    closeQuietly(home);
  }
}

/** Like {@link moveLinkIntoNetnsFdAndRename}, into the namespace of process `pid`. Throws {@link SyscallError} too. */
export function moveLinkIntoNetnsAndRename(link: string, pid: number, newName: string): void {
  withProcessNetns(pid, (fd) => moveLinkIntoNetnsFdAndRename(link, fd, newName));
}

/** Deletes a link; absence is success. Throws {@link NetlinkError} for anything else. */
export function deleteLinkByName(name: string): void {
  withConnection((conn) => deleteLink(conn, name));
}

/** Every link of the current namespace, complete even if the dump is interrupted. */
export function listAllLinks(): Link[] {
  return withConnection(listLinks);
}

/** Sets a link up. Throws {@link NotFoundError} when it does not exist. */
export function setLinkUpByName(name: string): void {
  withConnection((conn) => setLink(conn, name, { up: true }));
}

/** Adds an IPv4 or IPv6 address, without duplicate address detection. Throws {@link NetlinkError} EEXIST, {@link NotFoundError}. */
export function addAddressToLinkByName(name: string, address: string, prefixLength: number): void {
  withConnection((conn) => {
    const ifindex = getLinkIndex(conn, name);
    addAddress(conn, {
      ifindex,
      address,
      prefixLength,
      ...(address.includes(':') ? { flags: IFA_F_NODAD } : {}),
    });
  });
}

/** Adds 0.0.0.0/0 or ::/0 with link scope and no gateway. Throws {@link NotFoundError}, {@link NetlinkError} EEXIST. */
export function addDefaultRouteViaDev(dev: string, isV6: boolean): void {
  withConnection((conn) => {
    const ifindex = getLinkIndex(conn, dev);
    const dst = isV6 ? '::' : '0.0.0.0';
    conn.request(routeRequest({ dst, prefixLength: 0, ifindex, scope: RT_SCOPE_LINK }, dev));
  });
}

/**
 * Creates or replaces a link-scope route, with a preferred source address if one is given.
 * Throws {@link ConfigError} when the families of `dest` and `src` differ (before the kernel is asked),
 * {@link NotFoundError}, {@link NetlinkError}.
 */
export function replaceRouteViaDev(dest: string, prefixLength: number, dev: string, src?: string): void {
  const family = parseIp(dest)?.family;
  if (family === undefined) throw new ConfigError('dest', `${dest} is not an IP address`);
  if (src !== undefined && parseIp(src)?.family !== family) {
    throw new ConfigError('src', `${src} is not an IPv${family} address, but ${dest} is`);
  }
  withConnection((conn) => {
    const ifindex = getLinkIndex(conn, dev);
    const prefsrc = src === undefined ? {} : { prefsrc: src };
    replaceRoute(conn, { dst: dest, prefixLength, ifindex, scope: RT_SCOPE_LINK, ...prefsrc });
  });
}

/**
 * Runs an asynchronous function with a connection that is bound to the namespace behind `netnsFd`. Nothing else
 * moves: code that runs meanwhile stays where it is. The connection is closed when the promise settles.
 */
export async function withNetnsFdAsync<T>(netnsFd: number, fn: (conn: Connection) => Promise<T>): Promise<T> {
  const conn = connect({ netnsFd });
  try {
    return await fn(conn);
  } finally {
    conn.close();
  }
}

/** Like {@link withNetnsFdAsync}, in the namespace of process `pid`. Throws {@link SyscallError}. */
export async function withNetnsAsync<T>(pid: number, fn: (conn: Connection) => Promise<T>): Promise<T> {
  const fd = openReadOnly(`/proc/${pid}/ns/net`);
  try {
    return await withNetnsFdAsync(fd, fn);
  } finally {
    closeQuietly(fd);
  }
}

/**
 * Deletes the links of the current namespace that are named `<prefix><pid>` after a process that is gone; returns
 * their names. A live process's links stay, and so do names that only look similar (`veth-12a`, `veth-007`).
 */
export function sweepOrphanLinks(prefixes: readonly string[] = ['veth-', 'vc-']): string[] {
  return withConnection((conn) => {
    const orphans = listLinks(conn)
      .map((link) => link.name)
      .filter((name) => prefixes.some((prefix) => isOrphan(name, prefix)));
    for (const name of orphans) deleteLink(conn, name);
    return orphans;
  });
}

function isOrphan(name: string, prefix: string): boolean {
  if (!name.startsWith(prefix)) return false;
  const pid = name.slice(prefix.length);
  return /^[1-9]\d*$/.test(pid) && statSync(`/proc/${pid}`) === undefined;
}
