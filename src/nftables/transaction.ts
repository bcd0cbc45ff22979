import { isErrno } from '../errors.ts';
import { NETLINK_NETFILTER } from '../netlink/abi/netlink.ts';
import type { Connection, Request } from '../netlink/conn.ts';
import { commitNft, commitNftUnchanged } from '../netlink/ops/nftables.ts';
import { connect } from '../netlink/socket.ts';

/** Takes a step that can wait until all else is done. */
export type Later = (step: () => void) => void;

const atOnce: Later = (step) => step();

/**
 * Runs `fn` with a connection to nf_tables. After deletions, to close it takes as long as the kernel needs to forget
 * what was deleted, 8 to 16 ms: a caller who has other things to do gets that as a step for `later`.
 */
export function withNftables<T>(fn: (conn: Connection) => T, later: Later = atOnce): T {
  const conn = connect({ protocol: NETLINK_NETFILTER });
  try {
    return fn(conn);
  } finally {
    later(() => conn.close());
  }
}

/** Like {@link withNftables}; where the kernel has no nfnetlink at all, there is nothing, and that is `nothing`. */
export function inquire<T>(nothing: T, fn: (conn: Connection) => T, later?: Later): T {
  try {
    return withNftables(fn, later);
  } catch (error) {
    if (isErrno(error, 'EPROTONOSUPPORT', 'EAFNOSUPPORT')) return nothing;
    throw error;
  }
}

/** Like {@link commitNft}, but returns the error when the kernel says that something is missing, or there already. */
export function tryCommit(
  conn: Connection,
  requests: readonly Request[],
  refusal: 'ENOENT' | 'EEXIST',
): Error | undefined {
  try {
    commitNft(conn, requests);
    return undefined;
  } catch (error) {
    if (error instanceof Error && isErrno(error, refusal)) return error;
    throw error;
  }
}

const ATTEMPTS = 10;

/** An element that several attachments add, and that may overlap with what others have added (EEXIST). */
export interface SharedElement {
  readonly request: Request;
  /** The requests to delete what it takes the place of; none where it is covered by what is there. */
  replaced(conn: Connection): Request[];
}

/** Adds an element that may be covered by others, or take their place. Throws {@link NetlinkError}. */
export function addShared(conn: Connection, { request, replaced }: SharedElement): void {
  if (tryCommit(conn, [request], 'EEXIST') === undefined) return;
  commitNftUnchanged(conn, () => {
    const inTheWay = replaced(conn);
    return inTheWay.length === 0 ? [] : [...inTheWay, request];
  });
}

/**
 * Adds elements, as one transaction where that is possible: `shared` ones and `own` ones. If what they belong to is not
 * there, `install()` makes it.
 * Throws {@link NetlinkError}.
 */
export function addOrInstall(
  conn: Connection,
  install: () => void,
  shared: readonly SharedElement[],
  own: readonly Request[],
): void {
  const add = (): void => {
    if (shared.length > 0) {
      if (tryCommit(conn, [...shared.map(({ request }) => request), ...own], 'EEXIST') === undefined) return;
      // Of those that are not covered nothing has been added yet.
      for (const one of shared) addShared(conn, one);
    }
    commitNft(conn, own);
  };
  for (let attempt = 1; ; attempt++) {
    try {
      add();
      return;
    } catch (error) {
      if (!isErrno(error, 'ENOENT') || attempt === ATTEMPTS) throw error;
    }
    install();
  }
}
