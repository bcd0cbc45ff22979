import { parseNetworkConfig } from '../../../src/cni/config.ts';
import { openStore } from '../../../src/ipam/store.ts';
import { listAllLinks } from '../../../src/netlink/helpers.ts';
import type { Link } from '../../../src/netlink/message/link.ts';
import { findLink } from '../../../src/netlink/ops/links.ts';
import { connect } from '../../../src/netlink/socket.ts';
import { openRecords } from '../../../src/state/record.ts';
import { FEATURES } from '../../features/all.ts';
import { openIpam } from '../../ipam/open.ts';
import { type AttachmentKey, hostInterfaceName, isHostEndOf } from '../../names.ts';
import { teardown } from '../../teardown.ts';
import type { Attachment, Inventory } from '../inventory.ts';
import { namespaceState } from '../namespace-state.ts';
import { isPlumb } from '../network-list.ts';
import type { Item } from './garbage.ts';

/** What {@link collect} is told. */
export interface CollectOptions {
  /** How long to wait for the lock of the leases, in milliseconds. */
  readonly lockTimeoutMs: number;
  /** Folders with plugins, for IPAM plugins that hold an address. */
  readonly binDirs: string;
}

/**
 * Collects one item, as DEL would: the lease after the link, the record last, so that what fails is found again. Whatever has come
 * to life since the inventory was taken is left alone: then the answer is false.
 *
 * Throws {@link LockTimeoutError}, {@link NetlinkError}, {@link SyscallError}, and {@link CniError} of an IPAM plugin.
 */
export function collect(item: Item, inventory: Inventory, options: CollectOptions): boolean {
  switch (item.kind) {
    case 'attachment':
      return collectAttachment(item.attachment, inventory, options);
    case 'lease': {
      const [{ dataDir, network }] = item.leases;
      openStore(dataDir, network, options).release(item.owner);
      return true;
    }
    case 'record': {
      const { runDir, network, hostName } = item.record;
      const records = openRecords(runDir, network);
      if (records.read(hostName) !== undefined) return false;
      records.remove(hostName);
      return true;
    }
    case 'rules':
    case 'ifb':
      sweep();
      return true;
  }
}

function collectAttachment(it: Attachment, inventory: Inventory, options: CollectOptions): boolean {
  const { network, containerId, ifname, hostName } = it;
  const key = { network, containerId, ifname };
  // An alias has no room for the whole of a long id, and what is cut off is not known.
  if (hostInterfaceName(key) !== hostName) return false;
  const records = it.runDir === undefined ? undefined : openRecords(it.runDir, network);
  const record = records?.read(hostName);
  if (namespaceState(record, findHostEnd(key)) !== 'gone') return false;
  const finish = teardown(key, record);
  try {
    const dataDirs = new Set(it.leases.map(({ dataDir }) => dataDir));
    if (record?.dataDir !== undefined) dataDirs.add(record.dataDir);
    for (const dataDir of dataDirs) openStore(dataDir, network, options).release(key);
    releaseElsewhere(key, inventory, options);
    records?.remove(hostName);
  } finally {
    finish();
  }
  return true;
}

function findHostEnd(key: AttachmentKey): Link | undefined {
  const host = connect();
  try {
    const link = findLink(host, hostInterfaceName(key));
    return link !== undefined && isHostEndOf(link, key) ? link : undefined;
  } finally {
    host.close();
  }
}

/** Calls DEL of the IPAM plugin that the network's configuration names, if it is one of its own. */
function releaseElsewhere(
  { network, containerId, ifname }: AttachmentKey,
  { networks }: Inventory,
  { binDirs }: CollectOptions,
): void {
  for (const { name, cniVersion, plugins } of networks.lists) {
    if (name !== network) continue;
    for (const { entry } of plugins.filter(isPlumb)) {
      const document = JSON.stringify({ ...entry, name, cniVersion });
      const config = parseNetworkConfig(document, 'DEL');
      const type = config.ipam?.type;
      if (type === undefined || type === 'host-local' || type === 'static') continue;
      const variables = {
        CNI_CONTAINERID: containerId,
        CNI_IFNAME: ifname,
        CNI_NETNS: '',
        CNI_ARGS: '',
        CNI_PATH: binDirs,
      };
      openIpam(config, { document, path: binDirs, variables }).del({ network, containerId, ifname });
    }
  }
}

/** Takes away what the ruleset and ifbs have for host ends that are not there. */
function sweep(): void {
  // Before the links: a container that comes meanwhile has its link first and its rule then.
  const sweeps = FEATURES.map((feature) => feature.survey());
  const present = new Set(listAllLinks().map(({ name }) => name));
  for (const remove of sweeps) remove(present);
}
