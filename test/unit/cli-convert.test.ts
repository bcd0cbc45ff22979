import { describe, expect, test } from 'vitest';
import { checkConfig } from '../../plugin/cli/config/check.ts';
import { convert } from '../../plugin/cli/convert/convert.ts';
import { formatJson } from '../../plugin/cli/convert/format.ts';
import type { JsonObject } from '../../src/cni/document.ts';

// Lists as the programs named ship them, or write them by default.

const PORTS = { portMappings: true };
/** What becomes of it: podman takes all others away where `ips` is missing. */
const OWN = { ...PORTS, ips: true };
const portmap = { type: 'portmap', capabilities: PORTS };
const V4 = { dst: '0.0.0.0/0' };
const V6 = { dst: '::/0' };

interface Case {
  readonly from: JsonObject;
  readonly plugins: readonly JsonObject[];
  /** Paths of what is not carried over. */
  readonly lost?: readonly string[];
  readonly needless?: readonly string[];
  /** What stays in the list. */
  readonly kept?: readonly string[];
}

const CASES: Readonly<Record<string, Case>> = {
  'containerd: bridge of both families': {
    from: {
      cniVersion: '1.0.0',
      name: 'containerd-net',
      plugins: [
        {
          type: 'bridge',
          bridge: 'cni0',
          isGateway: true,
          ipMasq: true,
          promiscMode: true,
          ipam: {
            type: 'host-local',
            ranges: [[{ subnet: '10.88.0.0/16' }], [{ subnet: '2001:4860:4860::/64' }]],
            routes: [V4, V6],
          },
        },
        portmap,
      ],
    },
    plugins: [
      {
        type: 'plumb',
        ipMasq: true,
        capabilities: OWN,
        ipam: {
          type: 'host-local',
          ranges: [[{ subnet: '10.88.0.0/16' }], [{ subnet: '2001:4860:4860::/64' }]],
          routes: [V4, V6],
        },
      },
    ],
    needless: ['plugins[0].bridge', 'plugins[0].isGateway', 'plugins[0].promiscMode'],
  },
  'podman: 87-podman-bridge': {
    from: {
      cniVersion: '0.4.0',
      name: 'podman',
      plugins: [
        {
          type: 'bridge',
          bridge: 'cni-podman0',
          isGateway: true,
          ipMasq: true,
          hairpinMode: true,
          ipam: {
            type: 'host-local',
            routes: [V4],
            ranges: [[{ subnet: '10.88.0.0/16', gateway: '10.88.0.1' }]],
          },
        },
        portmap,
        { type: 'firewall' },
        { type: 'tuning' },
      ],
    },
    plugins: [
      {
        type: 'plumb',
        ipMasq: true,
        capabilities: OWN,
        ipam: {
          type: 'host-local',
          routes: [V4],
          ranges: [[{ subnet: '10.88.0.0/16', gateway: '10.88.0.1' }]],
        },
      },
    ],
    lost: ['plugins[2]'],
    needless: ['plugins[0].bridge', 'plugins[0].isGateway', 'plugins[0].hairpinMode'],
  },
  'podman: a network of its own, with dnsname': {
    from: {
      cniVersion: '0.4.0',
      name: 'web',
      plugins: [
        {
          type: 'bridge',
          bridge: 'cni-podman1',
          isGateway: true,
          ipMasq: true,
          vlan: 7,
          ipam: { type: 'host-local', routes: [V4], ranges: [[{ subnet: '10.89.0.0/24' }]] },
        },
        portmap,
        { type: 'firewall', backend: '', iptablesAdminChainName: 'ADMIN', firewalldZone: 'trusted' },
        { type: 'tuning', mac: '02:00:5e:10:00:01' },
        { type: 'dnsname', domainName: 'dns.podman', capabilities: { aliases: true } },
      ],
    },
    plugins: [
      {
        type: 'plumb',
        ipMasq: true,
        mac: '02:00:5e:10:00:01',
        iptablesAdminChainName: 'ADMIN',
        capabilities: OWN,
        ipam: { type: 'host-local', routes: [V4], ranges: [[{ subnet: '10.89.0.0/24' }]] },
      },
      { type: 'dnsname', domainName: 'dns.podman', capabilities: { aliases: true } },
    ],
    lost: ['plugins[0].vlan', 'plugins[2]', 'plugins[2].firewalldZone'],
    needless: ['plugins[0].bridge', 'plugins[0].isGateway'],
    kept: ['plugins[4]'],
  },
  'CRI-O: 100-crio-bridge': {
    from: {
      cniVersion: '1.0.0',
      name: 'crio',
      plugins: [
        {
          type: 'bridge',
          bridge: 'cni0',
          isGateway: true,
          ipMasq: true,
          hairpinMode: true,
          ipam: {
            type: 'host-local',
            routes: [V4, V6],
            ranges: [[{ subnet: '10.85.0.0/16' }], [{ subnet: '1100:200::/24' }]],
          },
        },
      ],
    },
    plugins: [
      {
        type: 'plumb',
        ipMasq: true,
        ipam: {
          type: 'host-local',
          routes: [V4, V6],
          ranges: [[{ subnet: '10.85.0.0/16' }], [{ subnet: '1100:200::/24' }]],
        },
      },
    ],
    needless: ['plugins[0].bridge', 'plugins[0].isGateway', 'plugins[0].hairpinMode'],
  },
  'CRI-O: 200-loopback': {
    from: { cniVersion: '1.0.0', name: 'loopback', plugins: [{ type: 'loopback' }] },
    plugins: [{ type: 'loopback' }],
  },
  'CRI-O: 200-loopback.conf, before lists': {
    from: { cniVersion: '0.3.1', name: 'loopback', type: 'loopback' },
    plugins: [{ type: 'loopback' }],
  },
  'flannel: cbr0': {
    from: {
      name: 'cbr0',
      cniVersion: '0.3.1',
      plugins: [{ type: 'flannel', delegate: { hairpinMode: true, isDefaultGateway: true } }, portmap],
    },
    plugins: [
      {
        type: 'flannel',
        ipam: { routes: [V4] },
        capabilities: OWN,
        delegate: { type: 'plumb' },
      },
    ],
    needless: ['plugins[0].delegate.hairpinMode', 'plugins[0].delegate.isDefaultGateway'],
    kept: ['plugins[0]', 'plugins[0].delegate.isDefaultGateway'],
  },
  kindnet: {
    from: {
      cniVersion: '0.3.1',
      name: 'kindnet',
      plugins: [
        {
          type: 'ptp',
          ipMasq: false,
          ipam: {
            type: 'host-local',
            dataDir: '/run/cni-ipam-state',
            routes: [V4],
            ranges: [[{ subnet: '10.244.0.0/24' }]],
          },
          mtu: 1500,
        },
        portmap,
      ],
    },
    plugins: [
      {
        type: 'plumb',
        mtu: 1500,
        ipMasq: false,
        capabilities: OWN,
        ipam: {
          type: 'host-local',
          dataDir: '/run/cni-ipam-state',
          routes: [V4],
          ranges: [[{ subnet: '10.244.0.0/24' }]],
        },
      },
    ],
  },
  'minikube: 1-k8s': {
    from: {
      cniVersion: '0.3.1',
      name: 'bridge',
      plugins: [
        {
          type: 'bridge',
          bridge: 'bridge',
          addIf: 'true',
          isDefaultGateway: true,
          forceAddress: false,
          ipMasq: true,
          hairpinMode: true,
          ipam: { type: 'host-local', subnet: '10.244.0.0/16' },
        },
        portmap,
        { type: 'firewall' },
      ],
    },
    plugins: [
      {
        type: 'plumb',
        ipMasq: true,
        capabilities: OWN,
        ipam: { type: 'host-local', subnet: '10.244.0.0/16', routes: [V4] },
      },
    ],
    lost: ['plugins[0].addIf', 'plugins[2]'],
    needless: ['plugins[0].bridge', 'plugins[0].isDefaultGateway', 'plugins[0].hairpinMode'],
  },
  'nerdctl: a bridge whose networks do not reach each other': {
    from: {
      cniVersion: '1.0.0',
      name: 'bridge',
      nerdctlID: '17f29b073143d8cd97b5bbe492bdeffec1c5fee55cc1fe2112c8b9335f8b6121',
      nerdctlLabels: { 'nerdctl/default-network': 'true' },
      plugins: [
        {
          type: 'bridge',
          bridge: 'nerdctl0',
          isGateway: true,
          ipMasq: true,
          hairpinMode: true,
          ipam: {
            type: 'host-local',
            ranges: [[{ gateway: '10.4.0.1', subnet: '10.4.0.0/24' }]],
            routes: [V4],
          },
        },
        portmap,
        { type: 'firewall', ingressPolicy: 'same-bridge' },
        { type: 'tuning' },
      ],
    },
    plugins: [
      {
        type: 'plumb',
        ipMasq: true,
        ingressPolicy: 'same-bridge',
        capabilities: OWN,
        ipam: {
          type: 'host-local',
          ranges: [[{ gateway: '10.4.0.1', subnet: '10.4.0.0/24' }]],
          routes: [V4],
        },
      },
    ],
    lost: ['plugins[2]'],
    needless: ['plugins[0].bridge', 'plugins[0].isGateway', 'plugins[0].hairpinMode'],
  },
  'Kubernetes with limits: ptp, portmap of its own, bandwidth, tuning, sbr': {
    from: {
      cniVersion: '1.0.0',
      name: 'k8s-pod-network',
      disableCheck: true,
      plugins: [
        {
          type: 'ptp',
          mtu: 1460,
          ipMasqBackend: 'iptables',
          dns: { nameservers: ['192.0.2.53'] },
          ipam: { type: 'host-local', ranges: [[{ subnet: '10.8.0.0/24' }]], routes: [V4] },
        },
        {
          type: 'portmap',
          capabilities: OWN,
          snat: false,
          externalSetMarkChain: 'KUBE-MARK-MASQ',
          conditionsV4: ['!', '-d', '192.0.2.0/24'],
          conditionsV6: [],
        },
        { type: 'bandwidth', capabilities: { bandwidth: true }, ingressRate: 8000, ingressBurst: 8000 },
        { type: 'tuning', mtu: 1400, sysctl: { 'net.core.somaxconn': '500' }, dataDir: '/run/x' },
        { type: 'sbr' },
      ],
    },
    plugins: [
      {
        type: 'plumb',
        mtu: 1400,
        sysctl: { 'net.core.somaxconn': '500' },
        dns: { nameservers: ['192.0.2.53'] },
        snat: false,
        ingressRate: 8000,
        ingressBurst: 8000,
        capabilities: { portMappings: true, bandwidth: true, ips: true },
        ipam: { type: 'host-local', ranges: [[{ subnet: '10.8.0.0/24' }]], routes: [V4] },
      },
      { type: 'sbr' },
    ],
    lost: ['plugins[1].conditionsV4'],
    needless: ['plugins[0].ipMasqBackend', 'plugins[1].externalSetMarkChain', 'plugins[3].dataDir'],
    kept: ['plugins[4]'],
  },
  'a single bridge with DHCP, isolated, without a version': {
    from: {
      name: 'lan',
      type: 'bridge',
      bridge: 'br0',
      macspoofchk: true,
      portIsolation: true,
      uplinkInterface: 'eth0',
      ipam: { type: 'dhcp' },
    },
    plugins: [{ type: 'plumb', antiSpoofing: true, ingressPolicy: 'isolated', ipam: { type: 'dhcp' } }],
    lost: ['plugins[0].uplinkInterface', 'plugins[0].ipam'],
    needless: ['plugins[0].bridge', 'plugins[0].macspoofchk', 'plugins[0].portIsolation'],
    kept: ['cniVersion'],
  },
  'static addresses, behind a plugin that plumb does not replace': {
    from: {
      cniVersion: '1.0.0',
      name: 'fixed',
      plugins: [
        { type: 'before' },
        { type: 'ptp', ipam: { type: 'static', addresses: [{ address: '10.1.0.5/24' }] } },
        { type: 'after' },
      ],
    },
    plugins: [
      { type: 'before' },
      { type: 'plumb', ipam: { type: 'static', addresses: [{ address: '10.1.0.5/24' }] } },
      { type: 'after' },
    ],
    kept: ['plugins[0]', 'plugins[2]'],
  },
  'a bridge on layer 2': {
    from: { cniVersion: '1.0.0', name: 'l2', plugins: [{ type: 'bridge', bridge: 'br0', ipam: {} }] },
    plugins: [{ type: 'plumb', ipam: {} }],
    lost: ['plugins[0]'],
    needless: ['plugins[0].bridge'],
  },
};

describe.each(Object.entries(CASES))('%s', (_, { from, plugins, lost = [], needless = [], kept = [] }) => {
  const { list, remarks } = convert(from);
  const paths = (fate: string): string[] =>
    remarks.filter((remark) => remark.fate === fate).map(({ path }) => path);

  test('becomes one entry, and passes the check', () => {
    expect(list['plugins']).toEqual(plugins);
    expect(Object.keys(Object(list['plugins'])[0])[0]).toBe('type');
    expect(checkConfig(formatJson(list), 'x.conflist').problems).toEqual([]);
  });

  test('has told what is not as it was', () => {
    expect({ lost: paths('lost'), needless: paths('needless'), kept: paths('kept') }).toEqual({
      lost,
      needless,
      kept,
    });
  });

  test('keeps the keys of the list', () => {
    const { plugins: _plugins, cniVersion = '1.0.0', ...head } = from;
    const { plugins: _new, ...newHead } = list;
    const single = !('plugins' in from);
    expect(newHead).toEqual(single ? { cniVersion, name: from['name'] } : { cniVersion, ...head });
  });
});

test('a list that is plumb’s already stays what it is', () => {
  const from = {
    cniVersion: '1.1.0',
    name: 'pods',
    plugins: [
      {
        type: 'plumb',
        ipMasq: true,
        capabilities: OWN,
        ipam: { type: 'host-local', subnet: '10.1.0.0/16' },
      },
    ],
  };
  expect(convert(from)).toEqual({ list: from, remarks: [] });
});

test.each([
  [{ name: 'x', cniVersion: '1.0.0', plugins: [{ type: 'macvlan' }] }, /\("macvlan"\)/],
  [{ name: 'x', cniVersion: '1.0.0', plugins: [] }, /\(none at all\)/],
  [
    { name: 'x', cniVersion: '1.0.0', plugins: [{ type: 'flannel', delegate: { type: 'ipvlan' } }] },
    /^plugins\[0\]\.delegate\.type: .* "ipvlan"$/,
  ],
])('nothing to replace: %j', (from, message) => {
  expect(() => convert(from)).toThrow(message);
});

test('JSON is written as people do', () => {
  const value = { a: [], b: {}, c: [{ d: 1 }, 'x'], long: Array.from({ length: 30 }, (_, i) => i * 1000) };
  const text = formatJson(value);
  expect(JSON.parse(text)).toEqual(value);
  expect(text.split('\n').slice(0, 6)).toEqual([
    '{',
    '  "a": [],',
    '  "b": {},',
    '  "c": [{ "d": 1 }, "x"],',
    '  "long": [',
    '    0,',
  ]);
});
