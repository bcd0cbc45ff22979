import type { Connection } from '../../../src/netlink/conn.ts';
import { connect } from '../../../src/netlink/socket.ts';
import type { Firewall } from '../foreign-firewalls.ts';
import { withNetnsAt } from '../open-netns.ts';
import { arrive } from './arrival.ts';
import { leave } from './container.ts';
import { type Hop, place } from './hop.ts';
import { cross, type Forwarded } from './host.ts';
import type { Packet } from './packet.ts';
import { View } from './view.ts';

/** A container on this host, as its attachment is known. */
export interface KnownContainer {
  readonly containerId: string;
  readonly ifname: string;
  /** Path of its network namespace; undefined where that is not known. */
  readonly netns: string | undefined;
}

/** What {@link walk} is told of the host. */
export interface Surroundings {
  readonly firewalls: readonly Firewall[];
  /** The container behind a host end; undefined for other links. */
  readonly containerOf: (hostEnd: string) => KnownContainer | undefined;
}

/**
 * The way of a packet from the network namespace at `netns`, as far as it can be known without sending it: the hops in
 * order, of which only the last can be one where it stops. Throws {@link ConfigError} if there is no namespace, {@link NetlinkError}.
 */
export function walk(netns: string, packet: Packet, surroundings: Surroundings): Hop[] {
  const host = connect();
  try {
    return withNetnsAt(netns, (netnsFd) =>
      inNamespace(netnsFd, (inside) => [...path(inside, new View(host), netns, packet, surroundings)]),
    );
  } finally {
    host.close();
  }
}

function* path(
  inside: View,
  host: View,
  netns: string,
  packet: Packet,
  { firewalls, containerOf }: Surroundings,
): Generator<Hop> {
  const departed = yield* leave(inside, host, netns, packet);
  if (departed === undefined) return;
  const forwarded = yield* cross(host, departed, packet, firewalls);
  if (forwarded === undefined) return;
  const container = containerOf(forwarded.out.name);
  if (container === undefined) {
    yield place('host').unsure(
      `it leaves by ${forwarded.out.name}; what becomes of it there is not known here`,
    );
    return;
  }
  yield* inContainer(container, forwarded);
}

function* inContainer({ containerId, ifname, netns }: KnownContainer, forwarded: Forwarded): Generator<Hop> {
  if (netns === undefined) {
    yield place(`container ${containerId}`).unsure('where its network namespace is, is not known here');
    return;
  }
  yield* withNetnsAt(netns, (netnsFd) =>
    inNamespace(netnsFd, (inside) => [...arrive({ containerId, ifname, netns, inside }, forwarded)]),
  );
}

function inNamespace<T>(netnsFd: number, fn: (inside: View) => T): T {
  const conn: Connection = connect({ netnsFd });
  try {
    return fn(new View(conn, netnsFd));
  } finally {
    conn.close();
  }
}
