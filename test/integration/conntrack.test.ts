import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { NetlinkError } from '../../src/netlink/errors.ts';
import {
  type Connection,
  connect,
  deleteConntrack,
  deleteMatchingConntrack,
  flushUdpPort,
  listConntrack,
  NETLINK_NETFILTER,
} from '../../src/netlink/index.ts';
import { makeNetns, type Netns, run } from '../support/netns.ts';

let host: Netns;
let conn: Connection;

// The table of connections is filled only where some rule looks at their state.
const TRACK = `add table inet t
add chain inet t c { type filter hook output priority 0; }
add rule inet t c ct state new accept`;

// Each flow is a packet and an answer: family, type, source port, destination port.
const FLOWS = `
import socket
for fam, a in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1')):
    servers = []
    for port in (53, 5353):
        u = socket.socket(fam, socket.SOCK_DGRAM); u.bind((a, port)); servers.append(u)
        t = socket.socket(fam, socket.SOCK_STREAM); t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        t.bind((a, port)); t.listen(); servers.append(t)
        for source in (40001, 40002):
            c = socket.socket(fam, socket.SOCK_DGRAM); c.bind((a, source)); c.sendto(b'x', (a, port))
            u.recv(9); u.sendto(b'y', (a, source)); c.close()
        c = socket.socket(fam, socket.SOCK_STREAM); c.bind((a, 41000 + port % 1000)); c.connect((a, port)); t.accept()
    # The other way round: port 53 as the source.
    servers[0].sendto(b'x', (a, 9999))
`;

const shell = (script: string): string => run('ip', 'netns', 'exec', host.name, 'sh', '-euc', script);

beforeEach(() => {
  host = makeNetns();
  host.ip('link', 'set', 'lo', 'up');
  shell(`nft -f - <<'END'\n${TRACK}\nEND\npython3 - <<'END'\n${FLOWS}\nEND`);
  conn = connect({ netnsFd: host.fd, protocol: NETLINK_NETFILTER });
});
afterEach(() => {
  conn.close();
  host.remove();
});

/** What the tool of that name sees. */
const listed = (): string[] =>
  [4, 6].flatMap((family) =>
    shell(`conntrack -L -f ipv${family} 2>/dev/null`)
      .split('\n')
      .flatMap((line) => {
        const [, protocol, source, sport, dport] =
          /^(\w+).*? src=(\S+) dst=\S+ sport=(\d+) dport=(\d+)/.exec(line) ?? [];
        return protocol === undefined ? [] : [`${protocol} ${source} ${sport} ${dport}`];
      }),
  );

const udpTo = (port: number, address: string): string[] =>
  [40001, 40002].map((source) => `udp ${address} ${source} ${port}`);

test('a dump has what conntrack(8) shows', () => {
  const entries = [...listConntrack(conn, 4), ...listConntrack(conn, 6)];
  const names = new Map([
    [6, 'tcp'],
    [17, 'udp'],
  ]);
  const seen = entries.map(
    ({ protocol, original: { source, sourcePort, destinationPort } }) =>
      `${names.get(protocol)} ${source} ${sourcePort} ${destinationPort}`,
  );
  expect(seen.toSorted()).toEqual(listed().toSorted());
  expect(seen).toHaveLength(14);
  const [entry] = listConntrack(conn, { family: 4, protocol: 17, sourcePort: 40001, destinationPort: 53 });
  expect(entry).toMatchObject({
    family: 4,
    protocol: 17,
    original: { source: '127.0.0.1', destination: '127.0.0.1', sourcePort: 40001, destinationPort: 53 },
    reply: { source: '127.0.0.1', destination: '127.0.0.1', sourcePort: 53, destinationPort: 40001 },
    status: 0xa, // IPS_SEEN_REPLY | IPS_CONFIRMED
  });
});

test('UDP entries of one port and family go, all others stay', () => {
  const before = listed();
  flushUdpPort(conn, 4, 53);
  expect(listed()).toEqual(before.filter((line) => !udpTo(53, '127.0.0.1').includes(line)));
  flushUdpPort(conn, 6, 53);
  const left = before.filter((line) => ![...udpTo(53, '127.0.0.1'), ...udpTo(53, '::1')].includes(line));
  expect(listed()).toEqual(left);
  expect(left).toEqual(expect.arrayContaining(['tcp 127.0.0.1 41053 53', 'udp 127.0.0.1 53 9999']));
  // None is as good.
  flushUdpPort(conn, 4, 53);
  expect(listed()).toEqual(left);
});

test('where the kernel filters no deletions the same entries go', () => {
  const before = listed();
  const request = conn.request.bind(conn);
  const spy = vi.spyOn(conn, 'request').mockImplementation((asked) => {
    // CTA_FILTER, which older kernels do not look for: to them the tuple is incomplete.
    if (asked.payload.join().includes('20,0,25,128'))
      throw new NetlinkError(asked.what, asked.name, 22, {}, 0);
    return request(asked);
  });
  flushUdpPort(conn, 6, 5353);
  expect(spy).toHaveBeenCalledTimes(3);
  expect(listed()).toEqual(before.filter((line) => !udpTo(5353, '::1').includes(line)));
});

test('addresses and ports narrow a filter', () => {
  const before = listed();
  deleteMatchingConntrack(conn, { family: 4, protocol: 17, source: '127.0.0.9', destinationPort: 53 });
  deleteMatchingConntrack(conn, { family: 4, protocol: 17, destination: '127.0.0.9', destinationPort: 53 });
  expect(listed()).toEqual(before);
  deleteMatchingConntrack(conn, {
    family: 4,
    protocol: 17,
    source: '127.0.0.1',
    destination: '127.0.0.1',
    sourcePort: 40002,
    destinationPort: 53,
  });
  expect(listed()).toEqual(before.filter((line) => line !== 'udp 127.0.0.1 40002 53'));
});

test('an entry that is gone, or another one of the same tuple, is not deleted', () => {
  const [entry] = listConntrack(conn, { family: 4, protocol: 17, sourcePort: 40001, destinationPort: 53 });
  if (entry === undefined) throw new Error('no entry');
  const before = listed();
  deleteConntrack(conn, { ...entry, id: (entry.id ^ 1) >>> 0 });
  expect(listed()).toEqual(before);
  deleteConntrack(conn, entry);
  deleteConntrack(conn, entry);
  expect(listed()).toEqual(before.filter((line) => line !== 'udp 127.0.0.1 40001 53'));
});
