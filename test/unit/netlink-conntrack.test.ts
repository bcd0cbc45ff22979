import { expect, test } from 'vitest';
import {
  type ConntrackFilter,
  decodeEntry,
  deleteEntry,
  deleteMatching,
  listEntries,
} from '../../src/netlink/message/conntrack.ts';

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.trim().split(/\s+/), (byte) => Number.parseInt(byte, 16));
}

// Captured with strace from conntrack 1.4.7 on kernel 6.18: what the kernel answered to `conntrack -L -p udp`, from
// nfgenmsg on.
const IPV4_ENTRY = hex(`02 00 00 00
  34 00 01 80 14 00 01 80 08 00 01 00 7f 00 00 01 08 00 02 00 7f 00 00 01
  1c 00 02 80 05 00 01 00 11 00 00 00 06 00 02 00 9c 41 00 00 06 00 03 00 14 e9 00 00
  34 00 02 80 14 00 01 80 08 00 01 00 7f 00 00 01 08 00 02 00 7f 00 00 01
  1c 00 02 80 05 00 01 00 11 00 00 00 06 00 02 00 14 e9 00 00 06 00 03 00 9c 41 00 00
  08 00 03 00 00 00 00 0a 08 00 08 00 00 00 00 00 08 00 0c 00 a8 58 67 b0 08 00 0b 00 00 00 00 01
  08 00 07 00 00 00 00 1d`);
const LOOPBACK6 = '00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01';
const IPV6_ENTRY = hex(`0a 00 00 00
  4c 00 01 80 2c 00 01 80 14 00 03 00 ${LOOPBACK6} 14 00 04 00 ${LOOPBACK6}
  1c 00 02 80 05 00 01 00 11 00 00 00 06 00 02 00 9c 41 00 00 06 00 03 00 14 e9 00 00
  4c 00 02 80 2c 00 01 80 14 00 03 00 ${LOOPBACK6} 14 00 04 00 ${LOOPBACK6}
  1c 00 02 80 05 00 01 00 11 00 00 00 06 00 02 00 14 e9 00 00 06 00 03 00 9c 41 00 00
  08 00 03 00 00 00 00 0a 08 00 08 00 00 00 00 00 08 00 0c 00 ce 79 b4 2e 08 00 0b 00 00 00 00 01
  08 00 07 00 00 00 00 1d`);

test('entries of a dump', () => {
  const entry = {
    protocol: 17,
    status: 0xa, // IPS_CONFIRMED | IPS_SEEN_REPLY
  };
  const four = { source: '127.0.0.1', destination: '127.0.0.1' };
  expect(decodeEntry(IPV4_ENTRY)).toEqual({
    ...entry,
    family: 4,
    original: { ...four, sourcePort: 40001, destinationPort: 5353 },
    reply: { ...four, sourcePort: 5353, destinationPort: 40001 },
    id: 0xa85867b0,
  });
  const six = { source: '::1', destination: '::1' };
  expect(decodeEntry(IPV6_ENTRY)).toEqual({
    ...entry,
    family: 6,
    original: { ...six, sourcePort: 40001, destinationPort: 5353 },
    reply: { ...six, sourcePort: 5353, destinationPort: 40001 },
    id: 0xce79b42e,
  });
});

test('the deletion of an entry has its very tuple and id', () => {
  const request = deleteEntry(decodeEntry(IPV6_ENTRY));
  expect(request).toMatchObject({ type: 0x102, name: 'IPCTNL_MSG_CT_DELETE' });
  // `conntrack -D` sends the reply tuple too, and leaves junk in the padding; the tuple is the same.
  expect(request.payload).toEqual(
    new Uint8Array([...IPV6_ENTRY.subarray(0, 4 + 76), ...hex('08 00 0c 00 ce 79 b4 2e')]),
  );
  expect(request.what).toBe('delete conntrack entry IPv6 protocol 17 from ::1 port 40001 to ::1 port 5353');
});

test('an entry of ICMP keeps what it has instead of ports', () => {
  // ping 127.0.0.1: id 0x1234, type 8 and code 0 of the request, type 0 of the answer.
  const tuple = (number: number, type: string): string => `3c 00 0${number} 80
    14 00 01 80 08 00 01 00 7f 00 00 01 08 00 02 00 7f 00 00 01
    24 00 02 80 05 00 01 00 01 00 00 00 06 00 04 00 12 34 00 00
    05 00 05 00 ${type} 00 00 00 05 00 06 00 00 00 00 00`;
  const bytes = hex(`02 00 00 00 ${tuple(1, '08')} ${tuple(2, '00')} 08 00 0c 00 00 00 00 05`);
  const entry = decodeEntry(bytes);
  expect(entry.original).toEqual({
    source: '127.0.0.1',
    destination: '127.0.0.1',
    icmp: { id: 0x1234, type: 8, code: 0 },
  });
  expect(deleteEntry(entry).payload).toEqual(
    new Uint8Array([...bytes.subarray(0, 4 + 60), ...hex('08 00 0c 00 00 00 00 05')]),
  );
});

test('a filter of protocol and port', () => {
  const filter = { family: 4, protocol: 17, destinationPort: 5353 } as const;
  const body = hex(`02 00 00 00 18 00 01 80 14 00 02 80 05 00 01 00 11 00 00 00 06 00 03 00 14 e9 00 00
    14 00 19 80 08 00 01 00 28 00 00 00 08 00 02 00 00 00 00 00`);
  expect(deleteMatching(filter)).toEqual({
    type: 0x102,
    name: 'IPCTNL_MSG_CT_DELETE',
    payload: body,
    what: 'delete conntrack entries of IPv4 protocol 17 port 5353',
  });
  expect(listEntries(4, filter)).toMatchObject({ type: 0x101, payload: body });
  expect(listEntries(6)).toMatchObject({ type: 0x101, payload: hex('0a 00 00 00') });
});

test('a filter of addresses', () => {
  const { payload } = deleteMatching({ family: 6, protocol: 6, source: 'fd00::1', sourcePort: 80 });
  expect(payload).toEqual(
    hex(`0a 00 00 00 30 00 01 80 18 00 01 80 14 00 03 00 fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01
    14 00 02 80 05 00 01 00 06 00 00 00 06 00 02 00 00 50 00 00
    14 00 19 80 08 00 01 00 19 00 00 00 08 00 02 00 00 00 00 00`),
  );
});

test('a deletion of everything cannot be said', () => {
  // @ts-expect-error: a filter has an address or a port
  const byProtocol: ConntrackFilter = { family: 4, protocol: 17 };
  // @ts-expect-error: and a protocol
  const byPort: ConntrackFilter = { family: 4, destinationPort: 53 };
  // Callers without types.
  const others: ConntrackFilter[] = [
    JSON.parse('{}'),
    JSON.parse('{ "family": 4 }'),
    JSON.parse('{ "family": 4, "protocol": 0, "destinationPort": 53 }'),
    JSON.parse('{ "family": 4, "protocol": null, "destinationPort": 53 }'),
  ];
  for (const filter of [byProtocol, byPort, ...others])
    expect(() => deleteMatching(filter)).toThrow('needs a protocol, and an address or a port');
  expect(() => deleteEntry(JSON.parse('{ "family": 4, "original": {} }'))).toThrow(
    'without a tuple all connections of the host would go',
  );
});

test('an address of the other family is refused', () => {
  expect(() => deleteMatching({ family: 4, protocol: 17, source: 'fd00::1' })).toThrow(
    'fd00::1 is not an IPv4 address',
  );
});
