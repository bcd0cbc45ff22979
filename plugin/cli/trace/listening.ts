import type { Hop, Place } from './hop.ts';
import type { Packet } from './packet.ts';
import type { View } from './view.ts';

/** The last hop: whether a program takes the packet. */
export function* listening(here: Place, view: View, packet: Packet): Generator<Hop> {
  const { protocol, port } = packet;
  if (port === undefined) return;
  yield view.isListening({ ...packet, port })
    ? here.ok(`a program listens on port ${port}/${protocol}`)
    : here.stops(
        `no program listens on port ${port}/${protocol}`,
        'start the server, or look with ss -lntu where it listens',
      );
}
