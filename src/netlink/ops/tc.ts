import { isErrno } from '../../errors.ts';
import type { Connection, Request } from '../conn.ts';
import {
  type ClassSpec,
  decodeClass,
  decodeFilter,
  decodeQdisc,
  delFilters,
  delQdisc,
  type Filter,
  type FilterSpec,
  getClasses,
  getFilters,
  getQdisc,
  newClass,
  newFilter,
  newQdisc,
  type Qdisc,
  type QdiscOptions,
  type QdiscPlace,
  type TrafficClass,
} from '../message/tc.ts';

/** A handle or class id of `major:minor`, as tc(8) writes it. */
export function tcHandle(major: number, minor: number): number {
  return major * 0x10000 + minor;
}

/** The request of {@link addQdisc} or {@link replaceQdisc}, for a batch; `name` is the link's, for the error. */
export function qdiscRequest(
  at: QdiscPlace,
  options: QdiscOptions,
  mode: 'add' | 'replace' = 'add',
  name = `link ${at.ifindex}`,
): Request {
  return newQdisc(at, options, mode, name);
}

/** Adds a qdisc. Throws {@link NetlinkError}: EEXIST (there is one), ENOENT (the kernel lacks the kind). */
export function addQdisc(conn: Connection, at: QdiscPlace, options: QdiscOptions): void {
  conn.request(qdiscRequest(at, options));
}

/** Adds a qdisc, or puts it in the place of the one that is there. Throws {@link NetlinkError}. */
export function replaceQdisc(conn: Connection, at: QdiscPlace, options: QdiscOptions): void {
  conn.request(qdiscRequest(at, options, 'replace'));
}

/** Deletes the qdisc at `parent` (TC_H_ROOT, TC_H_INGRESS) of a link; none is success. Throws {@link NetlinkError}. */
export function deleteQdisc(conn: Connection, ifindex: number, parent: number): void {
  try {
    conn.request(delQdisc(ifindex, parent, `link ${ifindex}`));
  } catch (error) {
    // ENOENT: there is only the one that the kernel gives every link; EINVAL: nothing at all hangs there.
    if (!isErrno(error, 'ENOENT', 'EINVAL')) throw error;
  }
}

/** The qdisc at `parent` (TC_H_ROOT, TC_H_INGRESS) of a link; undefined if none was put there. Throws {@link NetlinkError}. */
export function findQdisc(conn: Connection, ifindex: number, parent: number): Qdisc | undefined {
  try {
    const [payload] = conn.request(getQdisc(ifindex, parent));
    const qdisc = payload === undefined ? undefined : decodeQdisc(payload);
    // The one that the kernel gives every link has no handle.
    return qdisc?.handle === 0 ? undefined : qdisc;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EINVAL')) return undefined;
    throw error;
  }
}

/** Every qdisc of a link, or of the namespace. The kernel lists all: for one link {@link findQdisc} is cheaper. */
export function listQdiscs(conn: Connection, ifindex?: number): Qdisc[] {
  const all = conn.dump(getQdisc(ifindex ?? 0, 0)).map(decodeQdisc);
  return ifindex === undefined ? all : all.filter((qdisc) => qdisc.ifindex === ifindex);
}

/** The request of {@link addClass}, for a batch; `name` is the link's, for the error. */
export function classRequest(spec: ClassSpec, name = `link ${spec.ifindex}`): Request {
  return newClass(spec, 'add', name);
}

/** Adds a class to a htb, with the rate as its ceiling. Throws {@link NetlinkError} EEXIST. */
export function addClass(conn: Connection, spec: ClassSpec): void {
  conn.request(classRequest(spec));
}

/** The classes of a link's qdiscs. Throws {@link NetlinkError}. */
export function listClasses(conn: Connection, ifindex: number): TrafficClass[] {
  return conn.dump(getClasses(ifindex)).map(decodeClass);
}

/** The request of {@link addFilter}, for a batch; `name` is the link's, for the error. */
export function filterRequest(spec: FilterSpec, name = `link ${spec.ifindex}`): Request {
  return newFilter(spec, name);
}

/** Adds a u32 filter. Throws {@link NetlinkError}: EINVAL (no such qdisc, or the priority has another kind of filter). */
export function addFilter(conn: Connection, spec: FilterSpec): void {
  conn.request(filterRequest(spec));
}

/** Deletes all filters of one priority and protocol; none is success. Throws {@link NetlinkError}. */
export function deleteFilters(
  conn: Connection,
  at: Pick<FilterSpec, 'ifindex' | 'parent' | 'priority' | 'protocol'>,
): void {
  try {
    conn.request(delFilters(at, `link ${at.ifindex}`));
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** The filters at `parent` of a link, in the kernel's order; of no link or qdisc there are none. */
export function listFilters(conn: Connection, ifindex: number, parent: number): Filter[] {
  // What the kernel lists besides, priorities and hash tables, is not a filter.
  return conn
    .dump(getFilters(ifindex, parent))
    .map(decodeFilter)
    .filter(({ kind, handle, keys }) => (kind === 'u32' ? keys !== undefined : handle !== 0));
}
