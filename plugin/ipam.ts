import type { CniArgs } from '../src/cni/cni-args.ts';
import type { IpamConfig, NetworkConfig } from '../src/cni/config.ts';
import { CniError } from '../src/cni/error.ts';
import { ConfigError } from '../src/errors.ts';
import { type IpAddress, parseIp } from '../src/ip/address.ts';
import { resolveRangeSets } from '../src/ipam/ranges.ts';
import { type AllocateOptions, type LeaseStore, openStore } from '../src/ipam/store.ts';
import type { PodAddress } from './layout.ts';
import type { AttachmentKey } from './names.ts';

/** The lease store of a host-local network; undefined for one without IPAM. Throws {@link CniError} 7 for other types. */
export function storeOf(config: NetworkConfig): LeaseStore | undefined {
  const { ipam } = config;
  if (ipam === undefined) return undefined;
  if (ipam.type !== 'host-local') {
    throw new CniError(7, `ipam.type: "${ipam.type}" is not available; this version has "host-local"`);
  }
  return openStore(
    ipam.dataDir,
    config.name,
    ipam.lockTimeoutMs === undefined ? {} : { lockTimeoutMs: ipam.lockTimeoutMs },
  );
}

function requestedAddresses(config: NetworkConfig, args: CniArgs): IpAddress[] {
  const wanted =
    config.ips.length > 0 ? config.ips : args.ip === undefined || args.ip === '' ? [] : args.ip.split(',');
  return wanted.map((text) => {
    const address = parseIp(text.split('/')[0] ?? '');
    if (address === undefined) throw new ConfigError('ips', `${JSON.stringify(text)} is not an IP address`);
    return address;
  });
}

/** Allocates one address per range set for an attachment, all or none. */
export function allocate(
  store: LeaseStore,
  ipam: IpamConfig,
  config: NetworkConfig,
  key: AttachmentKey,
  args: CniArgs,
  options: AllocateOptions,
): PodAddress[] {
  const sets = resolveRangeSets(ipam.ranges, 'ipam.ranges');
  return store.allocate(key, sets, requestedAddresses(config, args), options);
}
