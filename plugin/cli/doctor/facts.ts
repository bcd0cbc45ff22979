import type { NetworkConfig } from '../../../src/cni/config.ts';
import type { InterfaceAddress } from '../../../src/netlink/message/address.ts';
import type { Link } from '../../../src/netlink/message/link.ts';
import type { Route } from '../../../src/netlink/message/route.ts';
import type { ListedPort } from '../../../src/nftables/port-mappings.ts';
import type { PodAddress } from '../../layout.ts';
import type { Firewall } from '../foreign-firewalls.ts';
import type { Attachment, Inventory } from '../inventory.ts';

/** What a network namespace has. */
export interface Namespace {
  readonly links: readonly Link[];
  readonly addresses: readonly InterfaceAddress[];
  readonly routes: readonly Route[];
}

/** An attachment with all that its packets need. */
export interface Patient {
  readonly attachment: Attachment;
  /** Its addresses, with the gateways that the configuration or the host end has for them. */
  readonly pods: readonly PodAddress[];
  /** What its network is configured as today; undefined if it is not configured here, or wrongly. */
  readonly config: NetworkConfig | undefined;
  /** Addresses and routes of its host end. */
  readonly onHost: Pick<Namespace, 'addresses' | 'routes'>;
  /** What is in its namespace; undefined where that cannot be entered. */
  readonly inside: Namespace | undefined;
  /** What has the name of its host end without being it. */
  readonly impostor: Link | undefined;
  /** Where the host routes each IPv4 or IPv6 address of the container; undefined for nowhere. */
  readonly best: ReadonlyMap<string, Route | undefined>;
  /** Sysctls of the host end; undefined without one. */
  readonly switches: Switches | undefined;
}

/** Sysctls of a host end. */
export interface Switches {
  /** What comes in by it is forwarded, in IPv4. */
  readonly forwarding: boolean;
  /** What would be answered by another link is dropped (rp_filter). */
  readonly strict: boolean;
  readonly routeLocalnet: boolean;
}

/** An entry for plumb in a configuration, as plumb reads it. */
export interface ConfiguredNetwork {
  readonly path: string;
  readonly name: string;
  /** What plumb makes of it, or why it refuses it. */
  readonly config: NetworkConfig | { readonly fault: string };
}

/** All that is looked at. */
export interface Facts {
  readonly inventory: Inventory;
  readonly patients: readonly Patient[];
  readonly networks: readonly ConfiguredNetwork[];
  readonly host: Namespace;
  readonly isForwarding: Readonly<Record<4 | 6, boolean>>;
  readonly hasMasqueradeRules: boolean;
  readonly hasPortMappingRules: boolean;
  /** All mapped ports of the host. */
  readonly ports: readonly ListedPort[];
  /** Host ends whose ports are used from 127.0.0.1, too. */
  readonly sourceNat: ReadonlySet<string>;
  /** Rulesets of other programs. */
  readonly firewalls: readonly Firewall[];
  /** Folders that plumb must be able to write to, and why it cannot; undefined where it can. */
  readonly folders: ReadonlyMap<string, string | undefined>;
}

/** Whether the container has an address of the family. */
export function hasFamily({ pods }: Patient, family: 4 | 6): boolean {
  return pods.some(({ address }) => address.address.family === family);
}

/** The container's end of the pair; undefined where it is not there or cannot be seen. */
export function containerEnd({ attachment, inside }: Patient): Link | undefined {
  return inside?.links.find(({ name }) => name === attachment.ifname);
}

/** Whether an end is there and up: what else is missing of one that is down went with it. */
export function isUp(end: Link | undefined): end is Link {
  return end?.up === true;
}
