/** What becomes of a key of a reference plugin that plumb has not: a word for how bad that is, and why. */
export interface Reason {
  /**
   * `needless`: plumb does the same without it. `lost`: the network will be different.
   */
  readonly fate: 'needless' | 'lost';
  readonly why: string;
}

const needless = (why: string): Reason => ({ fate: 'needless', why });
const lost = (why: string): Reason => ({ fate: 'lost', why });

const NFTABLES = needless('plumb uses nftables and nothing else');
const ROUTED = 'there is no bridge: the host routes to each container by itself';

/** Keys by plugin. A key that stands here is never carried over; others are if plumb has them. */
export const REASONS: Readonly<Record<string, Readonly<Record<string, Reason>>>> = {
  ptp: { ipMasqBackend: NFTABLES },
  bridge: {
    bridge: needless(ROUTED),
    isGateway: needless('the host is always the gateway'),
    isDefaultGateway: needless('the default routes stand in ipam.routes'),
    forceAddress: needless(ROUTED),
    ipMasqBackend: NFTABLES,
    hairpinMode: needless('a container reaches itself by its own mapped ports'),
    promiscMode: needless(ROUTED),
    preserveDefaultVlan: needless(ROUTED),
    enabledad: needless('nobody else can have an address of the container'),
    macspoofchk: needless('antiSpoofing, which checks addresses too, takes its place'),
    portIsolation: needless('"ingressPolicy": "isolated" takes its place'),
    vlan: lost('the containers are not in a VLAN; they can be kept apart by "ingressPolicy"'),
    vlanTrunk: lost('the containers are not in VLANs'),
    uplinkInterface: lost(
      'containers are not on one link with the network outside; the host routes for them',
    ),
    disableContainerInterface: lost("the container's interface is always up"),
  },
  portmap: {
    backend: NFTABLES,
    markMasqBit: needless('no mark is needed'),
    externalSetMarkChain: needless('no mark is needed'),
    conditionsV4: lost('words of iptables; plumb has no conditions on mapped ports'),
    conditionsV6: lost('words of iptables; plumb has no conditions on mapped ports'),
  },
  firewall: {
    backend: NFTABLES,
    firewalldZone: lost("the containers' addresses are not put into a zone of firewalld"),
  },
  tuning: { dataDir: needless('nothing is to be restored, as DEL takes the interface away') },
  bandwidth: {},
};

/** What a plugin does that plumb does not, whatever keys it has. */
export const LOSSES: Readonly<Record<string, string>> = {
  firewall:
    'nothing is accepted in iptables or firewalld on behalf of the containers; where the host\'s FORWARD chain drops, they reach nobody beyond the host; "markAcceptBit" accepts them by a mark',
};

/** What to say of plugins that stay in the list behind plumb. */
export const REMARKS: Readonly<Record<string, string>> = {
  sbr: 'plumb has no source based routing; the plugin goes on doing it',
  vrf: 'plumb has no VRFs; the plugin goes on doing it',
};
