import { describe, expect, test } from 'vitest';
import { WireError } from '../../src/netlink/errors.ts';
import type { NftExpression } from '../../src/netlink/index.ts';
import * as nl from '../../src/netlink/index.ts';
import { decodeChain, decodeChainOfRule, decodeRule, decodeTable } from '../../src/netlink/message/nft.ts';
import { batchBoundary, decodeGeneration, getGeneration } from '../../src/netlink/message/nft-batch.ts';
import { decodeElements, decodeSet } from '../../src/netlink/message/nft-set.ts';

// Captured with strace from nft 1.0.6 on kernel 6.18, without the headers of the messages: what nft sends for the command
// above the bytes, and what the kernel answers to `nft list ruleset`.
function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/[\da-f]{2}/g) ?? [], (byte) => Number.parseInt(byte, 16));
}

const T = { family: 'inet', table: 't' } as const;
/** The name of an interface as packets are compared with it. */
function ifname(name: string): Uint8Array {
  const padded = new Uint8Array(16);
  padded.set(new TextEncoder().encode(name));
  return padded;
}
const bytes = (...all: number[]): Uint8Array => Uint8Array.from(all);
const TYPEOF_NOTE = hex('000400000000 0308 0004 0d000000 0100');

function isFamily(family: number): NftExpression[] {
  return [
    { name: 'meta', key: 'nfproto', dreg: 1 },
    { name: 'cmp', sreg: 1, op: 'eq', data: bytes(family) },
  ];
}
function isProtocol(number: number): NftExpression[] {
  return [
    { name: 'meta', key: 'l4proto', dreg: 1 },
    { name: 'cmp', sreg: 1, op: 'eq', data: bytes(number) },
  ];
}

describe('what nft sends', () => {
  const MADE = { handle: 0, use: 0 };

  test('add table inet t { comment "tab"; }', () => {
    const table = { family: 'inet', name: 't', comment: 'tab' } as const;
    const sent = hex(`01000000060001007400000008000200000000000a0006000004746162000000`);
    expect(decodeTable(sent)).toEqual({ ...table, ...MADE });
    expect(nl.nftTableRequest('add', table).payload).toEqual(sent);
  });

  const chains: [command: string, chain: nl.NftChain, sent: string][] = [
    [
      'add chain inet t c { type filter hook forward priority -10; policy drop; comment "hi"; }',
      {
        ...T,
        name: 'c',
        base: { type: 'filter', hook: 'forward', priority: -10, policy: 'drop' },
        comment: 'hi',
      },
      `01000000060001007400000006000300630000000b00070066696c746572000008000500000000001400048008000100
      0000000208000200fffffff609000c000003686900000000`,
    ],
    [
      'add chain inet t n { type nat hook postrouting priority 100; }',
      { ...T, name: 'n', base: { type: 'nat', hook: 'postrouting', priority: 100 } },
      `010000000600010074000000060003006e000000080007006e6174001400048008000100000000040800020000000064`,
    ],
    ['add chain inet t reg', { ...T, name: 'reg' }, `0100000006000100740000000800030072656700`],
  ];
  test.each(chains)('%s', (_, chain, sent) => {
    expect(decodeChain(hex(sent))).toEqual({ ...chain, ...MADE });
    const request = nl.nftChainRequest('add', chain);
    expect(request.payload).toEqual(hex(sent));
    expect([request.type, request.flags]).toEqual([0xa03, 0x400]);
  });

  const sets: [command: string, set: nl.NftSet, sent: string][] = [
    [
      'add set inet t s4 { type ipv4_addr; comment "set of 4"; }',
      { ...T, name: 's4', key: ['ipv4_addr'], comment: 'set of 4', id: 1 },
      `010000000600010074000000070002007334000008000300000000000800040000000007080005000000000408000a00
      0000000115000d000004020000000709736574206f66203400000000`,
    ],
    [
      'add set inet t pairs { type ipv4_addr . ipv4_addr; flags interval; }',
      {
        ...T,
        name: 'pairs',
        key: ['ipv4_addr', 'ipv4_addr'],
        flags: ['interval', 'concat'],
        id: 2,
        userData: TYPEOF_NOTE,
      },
      `0100000006000100740000000a0002007061697273000000080003000000008408000400000001c70800050000000008
      08000a0000000002200009801c0002800c00018008000100000000040c000180080001000000000414000d0000040000
      0000030800040d0000000100`,
    ],
    [
      'add set inet t mixed { type ifname . inet_proto . inet_service; flags interval; }',
      {
        ...T,
        name: 'mixed',
        key: ['ifname', 'inet_proto', 'inet_service'],
        flags: ['interval', 'concat'],
        id: 3,
        userData: TYPEOF_NOTE,
      },
      `0100000006000100740000000a0002006d697865640000000800030000000084080004000002930d0800050000000018
      08000a00000000032c000980280002800c00018008000100000000100c00018008000100000000010c00018008000100
      0000000214000d00000400000000030800040d0000000100`,
    ],
    [
      'add map inet t ports { type inet_proto . inet_service : ipv4_addr . inet_service; }',
      {
        ...T,
        name: 'ports',
        key: ['inet_proto', 'inet_service'],
        data: ['ipv4_addr', 'inet_service'],
        flags: ['map'],
        id: 4,
        userData: hex('000400000000 010400000000 030800040d0000000100 040800040d0000000100 060400000000'),
      },
      `0100000006000100740000000a000200706f7274730000000800030000000008080004000000030d0800050000000008
      08000600000001cd080007000000000808000a00000000042a000d00000400000000010400000000030800040d000000
      0100040800040d00000001000604000000000000`,
    ],
    [
      'add map inet t verd { type ifname : verdict; }',
      {
        ...T,
        name: 'verd',
        key: ['ifname'],
        data: ['verdict'],
        flags: ['map'],
        id: 5,
        userData: hex('000401000000 010400000000 060400000000'),
      },
      `010000000600010074000000090002007665726400000000080003000000000808000400000000290800050000000010
      08000600ffffff00080007000000000008000a000000000516000d000004010000000104000000000604000000000000`,
    ],
    [
      'add set inet t ranges { type inet_service; flags interval, timeout; timeout 60s; auto-merge; }',
      {
        ...T,
        name: 'ranges',
        key: ['inet_service'],
        flags: ['interval', 'timeout'],
        timeout: 60_000,
        id: 6,
        userData: hex('000402000000 020401000000'),
      },
      `0100000006000100740000000b00020072616e67657300000800030000000014080004000000000d0800050000000002
      08000a00000000060c000b00000000000000ea6010000d00000402000000020401000000`,
    ],
    [
      'add set inet t dyn { type ether_addr; flags dynamic; size 100; }',
      { ...T, name: 'dyn', key: ['ether_addr'], flags: ['eval'], size: 100, id: 7 },
      `0100000006000100740000000800020064796e0008000300000000200800040000000009080005000000000608000a00
      000000070c00098008000100000000640a000d000004020000000000`,
    ],
    [
      'add set inet t marks { type mark; }',
      { ...T, name: 'marks', key: ['mark'], id: 8 },
      `0100000006000100740000000a0002006d61726b73000000080003000000000008000400000000130800050000000004
      08000a00000000080a000d000004010000000000`,
    ],
  ];
  test.each(sets)('%s', (_, set, sent) => {
    expect(decodeSet(hex(sent))).toEqual({ ...set, handle: 0 });
    const request = nl.nftSetRequest('add', set);
    expect(request.payload).toEqual(hex(sent));
    expect([request.type, request.flags]).toEqual([0xa09, 0x400]);
  });

  const elements: [command: string, set: nl.NftSetRef, element: nl.NftElement, sent: string][] = [
    [
      'add element inet t pairs { 10.0.0.0/24 . 10.0.0.0/24 }',
      { ...T, name: 'pairs', id: 2 },
      { key: bytes(10, 0, 0, 0, 10, 0, 0, 0), keyEnd: bytes(10, 0, 0, 255, 10, 0, 0, 255) },
      `0100000006000100740000000a000200706169727300000008000400000000022800038024000180100001800c000100
      0a0000000a00000010000a800c0001000a0000ff0a0000ff`,
    ],
    [
      'add element inet t ports { tcp . 8080 comment "cid" : 10.22.0.5 . 80 }',
      { ...T, name: 'ports', id: 4 },
      { key: bytes(6, 0, 0, 0, 0x1f, 0x90, 0, 0), data: bytes(10, 22, 0, 5, 0, 80, 0, 0), comment: 'cid' },
      `0100000006000100740000000a000200706f72747300000008000400000000043400038030000180100001800c000100
      060000001f900000100002800c0001000a160005005000000a0006000004636964000000`,
    ],
    [
      'add element inet t s4 { 10.0.0.9 }',
      { ...T, name: 's4', id: 1 },
      { key: bytes(10, 0, 0, 9) },
      `0100000006000100740000000700020073340000080004000000000114000380100001800c000180080001000a000009`,
    ],
  ];
  test.each(elements)('%s', (_, set, element, sent) => {
    expect(decodeElements(hex(sent))).toEqual([element]);
    const request = nl.nftElementRequest('add', set, element);
    expect(request.payload).toEqual(hex(sent));
    expect([request.type, request.flags]).toEqual([0xa0c, 0x400]);
    expect(nl.nftElementRequests('add', set, [element])).toEqual([request]);
  });

  test('delete element inet t s4 { 10.0.0.9 }', () => {
    const request = nl.nftElementRequest('delete', { ...T, name: 's4' }, { key: bytes(10, 0, 0, 9) });
    expect(request).toEqual({
      type: 0xa0e,
      name: 'NFT_MSG_DELSETELEM',
      flags: 0,
      what: 'delete element inet t s4',
      payload: hex(`010000000600010074000000070002007334000014000380100001800c000180080001000a000009`),
    });
  });

  test('add element inet t verd { "eth0" : goto reg, "eth1" : drop }', () => {
    const sent =
      hex(`010000000600010074000000090002007665726400000000080004000000000564000380340001801800018014000100
      65746830000000000000000000000000180002801400028008000100fffffffc08000200726567002c00028018000180
      1400010065746831000000000000000000000000100002800c0002800800010000000000`);
    expect(decodeElements(sent)).toEqual([
      { key: ifname('eth0'), verdict: { code: 'goto', chain: 'reg' } },
      { key: ifname('eth1'), verdict: { code: 'drop' } },
    ]);
  });

  test('add element inet t ranges { 80-90 timeout 30s, 65000-65535 }', () => {
    const sent =
      hex(`0100000006000100740000000b00020072616e676573000008000400000000066c000380180001800800030000000001
      0c00018006000100000000001c0002800c00040000000000000075300c00018006000100005000001800038008000300
      000000010c00018006000100005b00001c0004800c00018006000100fde800000a0006000104010000000000`);
    const [first, ...rest] = decodeElements(sent);
    // nft says where the first interval has not begun yet, which is not needed.
    expect(first).toEqual({ key: bytes(0, 0), flags: ['interval_end'] });
    expect(rest).toEqual([
      ...nl.nftInterval(bytes(0, 80), bytes(0, 90), { timeout: 30_000 }),
      ...nl.nftInterval(bytes(0xfd, 0xe8), bytes(0xff, 0xff), { userData: hex('010401000000') }),
    ]);
  });

  const rules: [command: string, rule: nl.NftRule, sent: string][] = [
    [
      'add rule inet t c iifname "eth0" ip saddr 10.0.0.0/12 ct status dnat counter accept comment "note"',
      {
        ...T,
        chain: 'c',
        comment: 'note',
        expressions: [
          { name: 'meta', key: 'iifname', dreg: 1 },
          { name: 'cmp', sreg: 1, op: 'eq', data: ifname('eth0') },
          ...isFamily(2),
          { name: 'payload', base: 'network_header', offset: 12, length: 4, dreg: 1 },
          {
            name: 'bitwise',
            sreg: 1,
            dreg: 1,
            length: 4,
            mask: bytes(255, 240, 0, 0),
            xor: bytes(0, 0, 0, 0),
          },
          { name: 'cmp', sreg: 1, op: 'eq', data: bytes(10, 0, 0, 0) },
          { name: 'ct', key: 'status', dreg: 1 },
          { name: 'bitwise', sreg: 1, dreg: 1, length: 4, mask: bytes(32, 0, 0, 0), xor: bytes(0, 0, 0, 0) },
          { name: 'cmp', sreg: 1, op: 'neq', data: bytes(0, 0, 0, 0) },
          { name: 'counter' },
          { name: 'immediate', verdict: { code: 'accept' } },
        ],
      },
      `01000000060001007400000006000200630000002802048024000180090001006d657461000000001400028008000200
      0000000608000100000000013800018008000100636d70002c0002800800010000000001080002000000000018000380
      140001006574683000000000000000000000000024000180090001006d6574610000000014000280080002000000000f
      08000100000000012c00018008000100636d700020000280080001000000000108000200000000000c00038005000100
      02000000340001800c0001007061796c6f6164002400028008000100000000010800020000000001080003000000000c
      0800040000000004440001800c0001006269747769736500340002800800010000000001080002000000000108000300
      000000040c00048008000100fff000000c00058008000100000000002c00018008000100636d70002000028008000100
      0000000108000200000000000c000380080001000a000000200001800700010063740000140002800800020000000002
      0800010000000001440001800c0001006269747769736500340002800800010000000001080002000000000108000300
      000000040c00048008000100200000000c00058008000100000000002c00018008000100636d70002000028008000100
      0000000108000200000000010c0003800800010000000000140001800c000100636f756e746572000400028030000180
      0e000100696d6d6564696174650000001c0002800800010000000000100002800c00028008000100000000010b000700
      00056e6f74650000`,
    ],
    [
      'add rule inet t c fib daddr type local tcp dport { 80, 443 } reject with icmpx type admin-prohibited',
      {
        ...T,
        chain: 'c',
        expressions: [
          { name: 'fib', dreg: 1, result: 'addrtype', flags: ['daddr'] },
          { name: 'cmp', sreg: 1, op: 'eq', data: bytes(2, 0, 0, 0) },
          ...isProtocol(6),
          { name: 'payload', base: 'transport_header', offset: 2, length: 2, dreg: 1 },
          { name: 'lookup', set: '__set%d', sreg: 1, setId: 10 },
          { name: 'reject', type: 'icmpx_unreach', code: 3 },
        ],
      },
      `0100000006000100740000000600020063000000300104802800018008000100666962001c0002800800030000000002
      080002000000000308000100000000012c00018008000100636d70002000028008000100000000010800020000000000
      0c000380080001000200000024000180090001006d657461000000001400028008000200000000100800010000000001
      2c00018008000100636d700020000280080001000000000108000200000000000c000380050001000600000034000180
      0c0001007061796c6f616400240002800800010000000001080002000000000208000300000000020800040000000002
      300001800b0001006c6f6f6b757000002000028008000200000000010c0001005f5f736574256400080004000000000a
      240001800b00010072656a65637400001400028008000100000000020500020003000000`,
    ],
    [
      'add rule inet t n meta nfproto ipv4 meta l4proto tcp snat ip to 10.0.0.1-10.0.0.9:1000-2000 persistent',
      {
        ...T,
        chain: 'n',
        expressions: [
          ...isFamily(2),
          ...isProtocol(6),
          { name: 'immediate', dreg: 1, data: bytes(10, 0, 0, 1) },
          { name: 'immediate', dreg: 2, data: bytes(10, 0, 0, 9) },
          { name: 'immediate', dreg: 3, data: bytes(3, 0xe8) },
          { name: 'immediate', dreg: 4, data: bytes(7, 0xd0) },
          {
            name: 'nat',
            type: 'snat',
            family: 2,
            addrMin: 1,
            addrMax: 2,
            protoMin: 3,
            protoMax: 4,
            flags: ['proto_specified', 'persistent'],
          },
        ],
      },
      `010000000600010074000000060002006e0000009c01048024000180090001006d657461000000001400028008000200
      0000000f08000100000000012c00018008000100636d700020000280080001000000000108000200000000000c000380
      050001000200000024000180090001006d6574610000000014000280080002000000001008000100000000012c000180
      08000100636d700020000280080001000000000108000200000000000c00038005000100060000002c0001800e000100
      696d6d6564696174650000001800028008000100000000010c000280080001000a0000012c0001800e000100696d6d65
      64696174650000001800028008000100000000020c000280080001000a0000092c0001800e000100696d6d6564696174
      650000001800028008000100000000030c0002800600010003e800002c0001800e000100696d6d656469617465000000
      1800028008000100000000040c0002800600010007d0000048000180080001006e6174003c0002800800010000000000
      08000200000000020800030000000001080004000000000208000500000000030800060000000004080007000000000a`,
    ],
    [
      'add rule inet t n masquerade random',
      { ...T, chain: 'n', expressions: [{ name: 'masq', flags: ['proto_random'] }] },
      `010000000600010074000000060002006e000000200004801c000180090001006d617371000000000c00028008000100
      00000004`,
    ],
    [
      'add rule inet t reg ip saddr . ip daddr != @pairs tcp dport 1000-2000 limit rate 5/second log prefix "x" drop',
      {
        ...T,
        chain: 'reg',
        expressions: [
          ...isFamily(2),
          { name: 'payload', base: 'network_header', offset: 12, length: 4, dreg: 1 },
          { name: 'payload', base: 'network_header', offset: 16, length: 4, dreg: 9 },
          { name: 'lookup', set: 'pairs', sreg: 1, setId: 2, inverted: true },
          ...isProtocol(6),
          { name: 'payload', base: 'transport_header', offset: 2, length: 2, dreg: 1 },
          { name: 'cmp', sreg: 1, op: 'gte', data: bytes(3, 0xe8) },
          { name: 'cmp', sreg: 1, op: 'lte', data: bytes(7, 0xd0) },
          {
            name: 'unknown',
            kernelName: 'limit',
            data: hex(
              '0c000100 0000000000000005 0c000200 0000000000000001 08000300 00000005 08000400 00000000 08000500 00000000',
            ),
          },
          { name: 'unknown', kernelName: 'log', data: hex('06000200 78000000') },
          { name: 'immediate', verdict: { code: 'drop' } },
        ],
      },
      `01000000060001007400000008000200726567005c02048024000180090001006d657461000000001400028008000200
      0000000f08000100000000012c00018008000100636d700020000280080001000000000108000200000000000c000380
      0500010002000000340001800c0001007061796c6f616400240002800800010000000001080002000000000108000300
      0000000c0800040000000004340001800c0001007061796c6f6164002400028008000100000000090800020000000001
      08000300000000100800040000000004380001800b0001006c6f6f6b757000002800028008000200000000010a000100
      70616972730000000800040000000002080005000000000124000180090001006d657461000000001400028008000200
      0000001008000100000000012c00018008000100636d700020000280080001000000000108000200000000000c000380
      0500010006000000340001800c0001007061796c6f616400240002800800010000000001080002000000000208000300
      0000000208000400000000022c00018008000100636d700020000280080001000000000108000200000000050c000380
      0600010003e800002c00018008000100636d700020000280080001000000000108000200000000030c00038006000100
      07d00000440001800a0001006c696d6974000000340002800c00010000000000000000050c0002000000000000000001
      08000300000000050800040000000000080005000000000018000180080001006c6f67000c0002800600020078000000
      300001800e000100696d6d6564696174650000001c0002800800010000000000100002800c0002800800010000000000`,
    ],
    [
      'add rule inet t reg iifname vmap @verd',
      {
        ...T,
        chain: 'reg',
        expressions: [
          { name: 'meta', key: 'iifname', dreg: 1 },
          { name: 'lookup', set: 'verd', sreg: 1, dreg: 0, setId: 5 },
        ],
      },
      `01000000060001007400000008000200726567006000048024000180090001006d657461000000001400028008000200
      000000060800010000000001380001800b0001006c6f6f6b757000002800028008000200000000010800030000000000
      0900010076657264000000000800040000000005`,
    ],
  ];
  test.each(rules)('%s', (_, rule, sent) => {
    expect(decodeRule(hex(sent))).toEqual({ ...rule, handle: 0 });
    const request = nl.nftRuleRequest('add', rule);
    expect(request.payload).toEqual(hex(sent));
    expect([request.type, request.flags]).toEqual([0xa06, 0xc00]);
  });

  // nft writes an attribute here that says nothing (NFTA_BITWISE_OP 0), so that its bytes are not ours.
  const othersRules: [command: string, expressions: NftExpression[], sent: string][] = [
    [
      'insert rule inet t c ct state established,related meta mark set mark or 0x10000',
      [
        { name: 'ct', key: 'state', dreg: 1 },
        { name: 'bitwise', sreg: 1, dreg: 1, length: 4, mask: bytes(6, 0, 0, 0), xor: bytes(0, 0, 0, 0) },
        { name: 'cmp', sreg: 1, op: 'neq', data: bytes(0, 0, 0, 0) },
        { name: 'meta', key: 'mark', dreg: 1 },
        {
          name: 'bitwise',
          sreg: 1,
          dreg: 1,
          length: 4,
          mask: bytes(255, 255, 254, 255),
          xor: bytes(0, 0, 1, 0),
        },
        { name: 'meta', key: 'mark', sreg: 1 },
      ],
      `010000000600010074000000060002006300000028010480200001800700010063740000140002800800020000000000
      0800010000000001440001800c0001006269747769736500340002800800010000000001080002000000000108000300
      000000040c00048008000100060000000c00058008000100000000002c00018008000100636d70002000028008000100
      0000000108000200000000010c000380080001000000000024000180090001006d657461000000001400028008000200
      0000000308000100000000014c0001800c00010062697477697365003c00028008000100000000010800020000000001
      080006000000000008000300000000040c00048008000100fffffeff0c00058008000100000001002400018009000100
      6d657461000000001400028008000200000000030800030000000001`,
    ],
    [
      'add rule inet t reg ct mark set 5 ct original ip saddr 10.0.0.1 ip ttl set 4',
      [
        { name: 'immediate', dreg: 1, data: bytes(5, 0, 0, 0) },
        { name: 'ct', key: 'mark', sreg: 1 },
        { name: 'ct', key: 'src_ip', direction: 0, dreg: 1 },
        { name: 'cmp', sreg: 1, op: 'eq', data: bytes(10, 0, 0, 1) },
        ...isFamily(2),
        { name: 'payload', base: 'network_header', offset: 8, length: 2, dreg: 1 },
        { name: 'bitwise', sreg: 1, dreg: 1, length: 2, mask: bytes(0, 255), xor: bytes(4, 0) },
        {
          name: 'payload',
          base: 'network_header',
          offset: 8,
          length: 2,
          sreg: 1,
          csumType: 1,
          csumOffset: 10,
        },
      ],
      `0100000006000100740000000800020072656700b80104802c0001800e000100696d6d65646961746500000018000280
      08000100000000010c000280080001000500000020000180070001006374000014000280080002000000000308000400
      000000012800018007000100637400001c0002800800020000000013080001000000000105000300000000002c000180
      08000100636d700020000280080001000000000108000200000000000c000380080001000a0000012400018009000100
      6d6574610000000014000280080002000000000f08000100000000012c00018008000100636d70002000028008000100
      0000000108000200000000000c0003800500010002000000340001800c0001007061796c6f6164002400028008000100
      000000010800020000000001080003000000000808000400000000024c0001800c00010062697477697365003c000280
      08000100000000010800020000000001080006000000000008000300000000020c0004800600010000ff00000c000580
      0600010004000000440001800c0001007061796c6f616400340002800800050000000001080002000000000108000300
      0000000808000400000000020800060000000001080007000000000a`,
    ],
  ];
  test.each(othersRules)('%s', (_, expressions, sent) => {
    const rule = decodeRule(hex(sent));
    expect(rule.expressions).toEqual(expressions);
    expect(decodeRule(nl.nftRuleRequest('insert', rule).payload)).toEqual(rule);
  });
});

describe('what the kernel answers', () => {
  test('a table, and chains of both kinds', () => {
    expect(
      decodeTable(
        hex(`010000110600010074000000080003000000000c0c000400000000000000000108000200000000000a00060000047461
      62000000`),
      ),
    ).toEqual({ family: 'inet', name: 't', handle: 1, use: 12, comment: 'tab' });
    expect(
      decodeChain(
        hex(`010000110600010074000000060003006e0000000c000200000000000000000214000400080001000000000408000200
      000000640800050000000001080007006e61740008000a00000000010800060000000002`),
      ),
    ).toEqual({
      ...T,
      name: 'n',
      handle: 2,
      use: 2,
      base: { type: 'nat', hook: 'postrouting', priority: 100, policy: 'accept' },
    });
    expect(
      decodeChain(hex(`01000011060001007400000008000300726567000c00020000000000000000030800060000000004`)),
    ).toEqual({ ...T, name: 'reg', handle: 3, use: 4 });
  });

  test('a map of verdicts, and a set of intervals', () => {
    expect(
      decodeSet(
        hex(`0100001106000100740000000900020076657264000000000c0010000000000000000008080003000000000808000400
      00000029080005000000001008000600ffffff00080007000000001016000d0000040100000001040000000006040000
      00000000040009001700130030786666666666666666383235303866343000000800140000000002`),
      ),
    ).toMatchObject({ name: 'verd', handle: 8, key: ['ifname'], data: ['verdict'] });
    expect(
      decodeSet(
        hex(`0100001106000100740000000a0002006d697865640000000c0010000000000000000006080003000000008408000400
      0002930d080005000000001814000d00000400000000030800040d00000001002c000900280002000c00010008000100
      000000100c00010008000100000000010c00010008000100000000021700130030786666666666666666383235303931
      613000000800140000000001`),
      ),
    ).toMatchObject({
      name: 'mixed',
      key: ['ifname', 'inet_proto', 'inet_service'],
      flags: ['interval', 'concat'],
    });
  });

  test('elements of intervals that expire', () => {
    const elements = decodeElements(
      hex(`0100001106000100740000000b00020072616e67657300009c000300280001000c00010006000100fde800000c000500
      000000000000e6540a0006000104010000000000240001000c00010006000100005b000008000300000000010c000400
      0000000000000000280001000c00010006000100005000000c00040000000000000075300c0005000000000000007124
      240001000c000100060001000000000008000300000000010c0004000000000000000000`),
    );
    expect(elements.map(({ key, expiration }) => [...key, expiration])).toEqual([
      [0xfd, 0xe8, 58_964],
      [0, 91, undefined],
      [0, 80, 28_964],
      [0, 0, undefined],
    ]);
    expect(
      nl.joinNftIntervals(elements).map(({ key, keyEnd = bytes(), timeout }) => [...key, ...keyEnd, timeout]),
    ).toEqual([
      [0, 80, 0, 90, 30_000],
      [0xfd, 0xe8, 0xff, 0xff, undefined],
    ]);
  });

  test('a rule with a counter', () => {
    const answer =
      hex(`01000011060001007400000006000200630000000c000300000000000000000d0c000600000000000000000e50020400
      24000100090001006d6574610000000014000200080002000000000608000100000000013800010008000100636d7000
      2c0002000800010000000001080002000000000018000300140001006574683000000000000000000000000024000100
      090001006d6574610000000014000200080002000000000f08000100000000012c00010008000100636d700020000200
      080001000000000108000200000000000c0003000500010002000000340001000c0001007061796c6f61640024000200
      08000100000000010800020000000001080003000000000c08000400000000044c0001000c0001006269747769736500
      3c00020008000100000000010800020000000001080003000000000408000600000000000c00040008000100fff00000
      0c00050008000100000000002c00010008000100636d700020000200080001000000000108000200000000000c000300
      080001000a00000020000100070001006374000014000200080001000000000108000200000000024c0001000c000100
      62697477697365003c00020008000100000000010800020000000001080003000000000408000600000000000c000400
      08000100200000000c00050008000100000000002c00010008000100636d700020000200080001000000000108000200
      000000010c00030008000100000000002c0001000c000100636f756e746572001c0002000c0001000000000000000000
      0c0002000000000000000000300001000e000100696d6d6564696174650000001c000200080001000000000010000200
      0c00020008000100000000010b00070000056e6f74650000`);
    expect(decodeRule(answer)).toMatchObject({ ...T, chain: 'c', handle: 13, comment: 'note' });
    expect(decodeRule(answer).expressions.at(-2)).toEqual({ name: 'counter', packets: 0n, bytes: 0n });
    expect(decodeChainOfRule(answer)).toBe('c');
  });

  test('the generation', () => {
    expect(decodeGeneration(hex('00000011 08000100 00000011 08000200 0000136e 08000300 6e667400'))).toBe(
      0x11,
    );
    expect(getGeneration()).toMatchObject({ type: 0xa10, payload: bytes(0, 0, 0, 0) });
  });
});

describe('requests', () => {
  test('boundaries of a transaction', () => {
    expect(batchBoundary(false)).toMatchObject({ type: 0x10, payload: hex('0000000a') });
    expect(batchBoundary(false, 0x1234).payload).toEqual(hex('0000000a 08000100 00001234'));
    expect(batchBoundary(true)).toMatchObject({ type: 0x11, payload: hex('0000000a') });
  });

  const rule = { ...T, chain: 'c', expressions: [] };
  test.each([
    [
      nl.nftTableRequest('create', { family: 'ip6', name: 't' }),
      0xa00,
      0x600,
      'create table ip6 t',
      'NEWTABLE',
    ],
    [
      nl.nftTableRequest('delete', { family: 'inet', name: 't' }),
      0xa02,
      0,
      'delete table inet t',
      'DELTABLE',
    ],
    [
      nl.nftTableRequest('destroy', { family: 'inet', name: 't' }),
      0xa1a,
      0,
      'destroy table inet t',
      'DESTROYTABLE',
    ],
    [nl.nftChainRequest('delete', { ...T, name: 'c' }), 0xa05, 0, 'delete chain inet t c', 'DELCHAIN'],
    [nl.nftChainRequest('destroy', { ...T, name: 'c' }), 0xa1b, 0, 'destroy chain inet t c', 'DESTROYCHAIN'],
    [nl.nftFlushChainRequest({ ...T, name: 'c' }), 0xa08, 0, 'flush chain inet t c', 'DELRULE'],
    [nl.nftRuleRequest('add', rule), 0xa06, 0xc00, 'add rule inet t c', 'NEWRULE'],
    [nl.nftRuleRequest('insert', rule, 7), 0xa06, 0x400, 'insert rule inet t c handle 7', 'NEWRULE'],
    [nl.nftRuleRequest('replace', rule, 7), 0xa06, 0x100, 'replace rule inet t c handle 7', 'NEWRULE'],
    [nl.nftRuleRequest('delete', rule, 7), 0xa08, 0, 'delete rule inet t c handle 7', 'DELRULE'],
    [nl.nftRuleRequest('destroy', rule, 7), 0xa1c, 0, 'destroy rule inet t c handle 7', 'DESTROYRULE'],
    [nl.nftSetRequest('delete', { ...T, name: 's' }), 0xa0b, 0, 'delete set inet t s', 'DELSET'],
    [nl.nftSetRequest('destroy', { ...T, name: 's' }), 0xa1d, 0, 'destroy set inet t s', 'DESTROYSET'],
    [nl.nftFlushSetRequest({ ...T, name: 's' }), 0xa0e, 0, 'flush set inet t s', 'DELSETELEM'],
    [
      nl.nftElementRequest('create', { ...T, name: 's' }, { key: bytes(1) }),
      0xa0c,
      0x600,
      'create element inet t s',
      'NEWSETELEM',
    ],
    [
      nl.nftElementRequest('destroy', { ...T, name: 's' }, { key: bytes(1) }),
      0xa1e,
      0,
      'destroy element inet t s',
      'DESTROYSETELEM',
    ],
  ])('%j', (request, type, flags, what, name) => {
    expect(request).toMatchObject({ type, flags, what, name: `NFT_MSG_${name}` });
  });

  test('where a rule goes: NFTA_RULE_POSITION for a neighbour, NFTA_RULE_HANDLE for the rule itself', () => {
    const head = '01000000 06000100 74000000 06000200 63000000';
    const seven = '00000000 00000007';
    expect(nl.nftRuleRequest('insert', rule, 7).payload).toEqual(hex(`${head} 0c000600 ${seven} 04000480`));
    expect(nl.nftRuleRequest('replace', rule, 7).payload).toEqual(hex(`${head} 0c000300 ${seven} 04000480`));
    expect(nl.nftRuleRequest('delete', rule, 7).payload).toEqual(hex(`${head} 0c000300 ${seven}`));
  });

  // A request that does not say which means all of them.
  const nothing = JSON.parse('{"family":"inet","table":"t"}');
  test.each([
    ['a table', () => nl.nftTableRequest('delete', nothing)],
    ['a table of no family', () => nl.nftTableRequest('delete', JSON.parse('{"family":"all","name":"t"}'))],
    ['a chain', () => nl.nftChainRequest('delete', nothing)],
    ['a chain with an empty name', () => nl.nftChainRequest('delete', { ...T, name: '' })],
    ['the rules of a chain', () => nl.nftFlushChainRequest(nothing)],
    ['a rule', () => nl.nftRuleRequest('delete', { ...T, chain: 'c' }, nothing.handle)],
    ['a set', () => nl.nftSetRequest('delete', nothing)],
    ['the elements of a set', () => nl.nftFlushSetRequest(nothing)],
  ])('a deletion must say which: %s', (_, request) => {
    expect(request).toThrow(WireError);
  });

  test.each([
    [
      'a hook of another family',
      () =>
        nl.nftChainRequest('add', {
          family: 'arp',
          table: 't',
          name: 'c',
          base: { type: 'filter', hook: 'prerouting', priority: 0 },
        }),
      'family arp has no hook prerouting',
    ],
    [
      'a type that nobody knows',
      () => nl.nftSetRequest('add', { ...T, name: 's', key: JSON.parse('["ipv5_addr"]') }),
      'ipv5_addr is no type that is known here',
    ],
    ['a key of no field', () => nl.nftSetRequest('add', { ...T, name: 's', key: [] }), 'a type of no field'],
    [
      'a comment that is too long',
      () => nl.nftElementRequest('add', { ...T, name: 's' }, { key: bytes(1), comment: 'x'.repeat(255) }),
      'a note of 256 bytes is too long',
    ],
    [
      'an interval that ends before it begins',
      () => nl.nftInterval(bytes(0, 9), bytes(0, 8)),
      'the last key of an interval comes before its first',
    ],
  ])('refused: %s', (_, request, message) => {
    expect(request).toThrow(message);
  });

  test('a comment of 254 bytes still has room', () => {
    const comment = 'x'.repeat(254);
    const { payload } = nl.nftElementRequest('add', { ...T, name: 's' }, { key: bytes(1), comment });
    expect(decodeElements(payload)).toEqual([{ key: bytes(1), comment }]);
  });

  test('many elements take as few requests as they fit into', () => {
    const elements = Array.from({ length: 5000 }, (_, i) => ({ key: bytes(10, 0, i >> 8, i & 0xff) }));
    const requests = nl.nftElementRequests('add', { ...T, name: 's' }, elements);
    // Each takes 16 bytes of 65,531.
    expect(requests.map(({ payload }) => decodeElements(payload).length)).toEqual([4095, 905]);
    expect(requests.flatMap(({ payload }) => decodeElements(payload))).toEqual(elements);
    expect(nl.nftElementRequests('add', { ...T, name: 's' }, [])).toEqual([]);
  });

  test('a chain of one device, and of several', () => {
    const base = (devices: string[]): nl.NftChain => ({
      family: 'netdev',
      table: 't',
      name: 'c',
      base: { type: 'filter', hook: 'ingress', priority: 0, devices },
    });
    for (const devices of [['eth0'], ['eth0', 'eth1']])
      expect(decodeChain(nl.nftChainRequest('add', base(devices)).payload)).toEqual({
        ...base(devices),
        handle: 0,
        use: 0,
      });
  });

  test('interval ends carry over bytes, and nothing follows the last key', () => {
    expect(nl.nftInterval(bytes(1, 0), bytes(1, 255))).toEqual([
      { key: bytes(1, 0) },
      { key: bytes(2, 0), flags: ['interval_end'] },
    ]);
    expect(nl.nftInterval(bytes(1, 0), bytes(255, 255))).toEqual([{ key: bytes(1, 0) }]);
  });
});
