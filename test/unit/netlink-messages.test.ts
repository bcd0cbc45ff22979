import { describe, expect, test } from 'vitest';
import { addressMessage, decodeAddress } from '../../src/netlink/message/address.ts';
import { linkMessage } from '../../src/netlink/message/link.ts';
import { decodeRoute, routeMessage } from '../../src/netlink/message/route.ts';
import { decodeAck, encodeMessage, splitMessages } from '../../src/netlink/wire/message.ts';

// Captured with strace from iproute2 6.1.0 on kernel 6.18; the command stands above the bytes.
function hex(text: string): Uint8Array {
  return Uint8Array.from(text.trim().split(/\s+/), (byte) => Number.parseInt(byte, 16));
}

function only(datagram: Uint8Array) {
  const [message, ...rest] = splitMessages(datagram);
  if (message === undefined || rest.length > 0) throw new Error('expected one message');
  return message;
}

describe('bytes from the kernel tools', () => {
  test('ip addr add 10.1.0.2/24 dev a0, both directions', () => {
    const bytes = hex(`28 00 00 00 14 00 05 06  04 c3 06 6b 00 00 00 00 02 18 00 00 03 00 00 00
      08 00 02 00 0a 01 00 02 08 00 01 00 0a 01 00 02`);
    const message = only(bytes);
    const { header, attributes } = addressMessage.decode(message.payload);
    expect(decodeAddress(message.payload)).toEqual({
      ifindex: 3,
      family: 4,
      address: '10.1.0.2',
      prefixLength: 24,
      scope: 0,
      flags: 0,
    });
    // The tool sends IFA_LOCAL first, we IFA_ADDRESS: the kernel reads them by number.
    const again = addressMessage.encode(header, attributes);
    expect(addressMessage.decode(again)).toEqual({ header, attributes });
    expect(encodeMessage({ ...message, payload: message.payload })).toEqual(bytes);
    expect(again).toHaveLength(message.payload.length);
  });

  test('ip route add 10.9.0.0/16 via 10.1.0.1 dev a0 onlink metric 7 mtu 1300 table 1000', () => {
    const { payload } = only(
      hex(`50 00 00 00 18 00 05 06  04 c3 06 6b 00 00 00 00 02 10 00 00 00 03 00 01  04 00 00 00 08 00 01 00
      0a 09 00 00 08 00 05 00  0a 01 00 01 08 00 06 00 07 00 00 00 08 00 0f 00  e8 03 00 00 08 00 04 00
      03 00 00 00 0c 00 08 00  08 00 02 00 14 05 00 00`),
    );
    expect(decodeRoute(payload)).toMatchObject({
      dst: '10.9.0.0',
      prefixLength: 16,
      gateway: '10.1.0.1',
      ifindex: 3,
      priority: 7,
      mtu: 1300,
      table: 1000,
    });
    const { header, attributes } = routeMessage.decode(payload);
    expect(header.flags).toBe(4);
    expect(routeMessage.decode(routeMessage.encode(header, attributes))).toEqual({ header, attributes });
  });

  test('ip link add c0 mtu 1400 type veth peer name d0', () => {
    const { payload } = only(
      hex(`5c 00 00 00 10 00 05 06  04 c3 06 6b 00 00 00 00 00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00
      08 00 04 00 78 05 00 00  07 00 03 00 63 30 00 00 2c 00 12 00 08 00 01 00  76 65 74 68 20 00 02 00
      1c 00 01 00 00 00 00 00  00 00 00 00 00 00 00 00 00 00 00 00 07 00 03 00  64 30 00 00`),
    );
    const { attributes } = linkMessage.decode(payload);
    expect(attributes).toMatchObject({ ifname: 'c0', mtu: 1400, linkinfo: { kind: 'veth' } });
    const data = attributes.linkinfo?.data ?? new Uint8Array();
    // Behind the header of VETH_INFO_PEER stands a link message of its own.
    expect(linkMessage.decode(data.subarray(4)).attributes.ifname).toBe('d0');
  });
});

test('an error carries errno, the text and the offset of the extended ACK', () => {
  const error =
    hex(`00 00 00 00 02 00 00 03 07 00 00 00 00 00 00 00 ef ff ff ff 14 00 00 00 18 00 05 06 07 00 00 00 00 00 00 00
    08 00 01 00 6e 6f 70 00 08 00 02 00 18 00 00 00`);
  new DataView(error.buffer).setUint32(0, error.length, true);
  expect(decodeAck(only(error))).toEqual({ errno: 17, extendedAck: { message: 'nop', offset: 24 } });
});
