import { formatPrefix, parseIp } from '../../../src/ip/address.ts';
import { RT_TABLE_MAIN, RTN_UNICAST } from '../../../src/netlink/abi/rtnetlink.ts';
import { listLinks } from '../../../src/netlink/ops/links.ts';
import { listRoutes } from '../../../src/netlink/ops/routes.ts';
import { connect } from '../../../src/netlink/socket.ts';
import { isHostInterface } from '../../names.ts';
import type { Neighbour } from './subnets.ts';

/** The networks that the host has routes to, but for default routes and those to plumb's own containers. Throws {@link NetlinkError}. */
export function hostNetworks(): Neighbour[] {
  const conn = connect();
  try {
    const links = new Map(listLinks(conn).map((link) => [link.index, link.name]));
    return listRoutes(conn, { table: RT_TABLE_MAIN }).flatMap((route) => {
      const address = parseIp(route.dst);
      const link = links.get(route.ifindex ?? 0);
      const isOwn = link !== undefined && isHostInterface(link);
      if (address === undefined || route.prefixLength === 0 || route.type !== RTN_UNICAST || isOwn) return [];
      const subnet = { address, prefixLength: route.prefixLength };
      const via = route.gateway === undefined ? '' : ` via ${route.gateway}`;
      const dev = link === undefined ? '' : ` dev ${link}`;
      return [
        {
          subnet,
          what: `the host's route ${formatPrefix(subnet)}${via}${dev}`,
          remedy:
            'what is behind that route and the containers hide each other; choose another subnet, or remove the route',
        },
      ];
    });
  } finally {
    conn.close();
  }
}
