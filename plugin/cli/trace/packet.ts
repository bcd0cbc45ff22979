import type { IpAddress } from '../../../src/ip/address.ts';

/** What is sent. */
export interface Packet {
  readonly protocol: 'tcp' | 'udp';
  readonly to: IpAddress;
  /** Absent where nothing is asked about ports: mappings and servers are passed over then. */
  readonly port?: number;
}

/** The number of a protocol, IPPROTO_*. */
export const PROTOCOL_NUMBERS = { tcp: 6, udp: 17 } as const;
