import { type IpAddress, ipFromBytes, sameIp } from '../../../src/ip/address.ts';
import { readIfPresent } from '../../../src/sys/fs.ts';

// The states of /proc/net/tcp and udp, <net/tcp_states.h>: TCP_LISTEN, and TCP_CLOSE for a UDP socket that is not connected.
const LISTENING = { tcp: '0A', udp: '07' } as const;

/** A socket that waits for packets. */
export interface Listener {
  /** What it is bound to; the value is 0 for every address. */
  readonly address: IpAddress;
  readonly port: number;
}

/**
 * The sockets that wait for packets of a protocol in the network namespace that the calling thread is in.
 * Throws {@link SyscallError}.
 */
export function listListeners(protocol: 'tcp' | 'udp'): Listener[] {
  return [protocol, `${protocol}6`].flatMap((file) =>
    // IPv6 may be switched off.
    parseListeners(readIfPresent(`/proc/thread-self/net/${file}`) ?? '', LISTENING[protocol]),
  );
}

/** Parses /proc/net/tcp, tcp6, udp or udp6 (proc_net_tcp in the kernel's documentation): the sockets in a state. */
export function parseListeners(text: string, state: string): Listener[] {
  return text.split('\n').flatMap((line) => {
    const [, local = '', , found] = line.trim().split(/\s+/);
    const [hex = '', port = ''] = local.split(':');
    if (found !== state) return [];
    const address = parseHex(hex);
    return address === undefined ? [] : [{ address, port: Number.parseInt(port, 16) }];
  });
}

/** Words of 32 bits, each in the host's order, which is little-endian here. */
function parseHex(hex: string): IpAddress | undefined {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) =>
    (word.match(/../g) ?? []).toReversed().map((byte) => Number.parseInt(byte, 16)),
  );
  return ipFromBytes(Uint8Array.from(bytes));
}

/** Whether one of the sockets takes what is sent to an address and port. One of `::` is taken to take IPv4 as well. */
export function isListening(listeners: readonly Listener[], to: IpAddress, port: number): boolean {
  return listeners.some(({ address, port: bound }) => bound === port && takes(unmapped(address), to));
}

function takes(bound: IpAddress, to: IpAddress): boolean {
  return bound.value === 0n ? bound.family === 6 || to.family === 4 : sameIp(bound, to);
}

/** A socket of IPv6 that is bound to an IPv4 address has it as ::ffff:a.b.c.d. */
function unmapped(address: IpAddress): IpAddress {
  return address.family === 6 && address.value >> 32n === 0xffffn
    ? { family: 4, value: address.value & 0xffffffffn }
    : address;
}
