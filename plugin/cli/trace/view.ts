import { formatIp, type IpAddress } from '../../../src/ip/address.ts';
import { RTN_LOCAL } from '../../../src/netlink/abi/rtnetlink.ts';
import type { Connection } from '../../../src/netlink/conn.ts';
import { NetlinkError } from '../../../src/netlink/errors.ts';
import type { Link } from '../../../src/netlink/message/link.ts';
import type { Route } from '../../../src/netlink/message/route.ts';
import { listLinks } from '../../../src/netlink/ops/links.ts';
import { type RouteQuery, resolveRoute } from '../../../src/netlink/ops/routes.ts';
import { withNetnsFd } from '../../../src/sys/netns.ts';
import { isListening, listListeners } from './listeners.ts';
import type { Packet } from './packet.ts';

/** What a network namespace is asked. Throws {@link NetlinkError}. */
export class View {
  readonly conn: Connection;
  readonly links: readonly Link[];
  readonly #netnsFd: number | undefined;

  /** `netnsFd` is the namespace that `conn` is bound to; left out for the one that the thread is in. */
  constructor(conn: Connection, netnsFd?: number) {
    this.conn = conn;
    this.links = listLinks(conn);
    this.#netnsFd = netnsFd;
  }

  link(index: number | undefined): Link | undefined {
    return this.links.find((link) => link.index === index);
  }

  /** The route of a packet, or what the kernel says instead. */
  route(query: RouteQuery): Route | NetlinkError {
    try {
      return resolveRoute(this.conn, query);
    } catch (error) {
      if (error instanceof NetlinkError) return error;
      throw error;
    }
  }

  /** Whether the namespace itself has the address. */
  has(address: IpAddress): boolean {
    const route = this.route({ to: formatIp(address) });
    return !(route instanceof NetlinkError) && route.type === RTN_LOCAL;
  }

  /** Whether a program here takes the packet. */
  isListening({ protocol, to, port }: Packet & { readonly port: number }): boolean {
    const list = (): ReturnType<typeof listListeners> => listListeners(protocol);
    return isListening(this.#netnsFd === undefined ? list() : withNetnsFd(this.#netnsFd, list), to, port);
  }
}
