import { type IpAddress, ipToBytes } from '../../../src/ip/address.ts';
import { withNetnsFd } from '../../../src/sys/netns.ts';
import { probe } from '../../../src/sys/probe.ts';
import { withNetnsAt } from '../open-netns.ts';

/** What came of a packet that was really sent. */
export interface Reality {
  /** `unknown`: nothing came back, which over UDP says nothing. */
  readonly arrived: 'yes' | 'no' | 'unknown';
  /** In words. */
  readonly what: string;
}

const TIMEOUT_MS = 3000;

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused: the packet arrives, and no program listens there',
  ENETUNREACH: 'not sent: there is no route',
  EHOSTUNREACH: 'not delivered: a router or a neighbour says that the host cannot be reached',
  EACCES: 'refused: a route or a firewall prohibits it',
  EPERM: 'not sent: a firewall in the container drops it',
  EADDRNOTAVAIL: 'not sent: the container has no address to send from',
};

/**
 * Sends one packet from a network namespace and waits 3 s at most for what comes back: with TCP a connection, which is closed at
 * once. Throws {@link ConfigError} if there is no namespace, {@link SyscallError} if there is no socket.
 */
export function sendFrom(netns: string, protocol: 'tcp' | 'udp', to: IpAddress, port: number): Reality {
  const outcome = withNetnsAt(netns, (fd) =>
    withNetnsFd(fd, () => probe(protocol, ipToBytes(to), port, TIMEOUT_MS)),
  );
  if (outcome === 'answered')
    return { arrived: 'yes', what: protocol === 'tcp' ? 'a connection was made' : 'an answer came' };
  if (outcome !== 'silent') return { arrived: 'no', what: WORDS[outcome] ?? `failed: ${outcome}` };
  return protocol === 'tcp'
    ? { arrived: 'no', what: `no answer in ${TIMEOUT_MS / 1000} s: it is dropped on its way there or back` }
    : { arrived: 'unknown', what: 'no answer, as most servers give none to an empty packet' };
}
