import type { CniArgs } from '../../src/cni/cni-args.ts';
import type { IpamConfig, NetworkConfig } from '../../src/cni/config.ts';
import { CniError, ErrPluginNotAvailable } from '../../src/cni/error.ts';
import { parseResolvConf } from '../../src/cni/resolv-conf.ts';
import { ConfigError, errorMessage } from '../../src/errors.ts';
import { formatIp, type IpAddress, parseIp } from '../../src/ip/address.ts';
import { describeRange } from '../../src/ip/range.ts';
import { openStore } from '../../src/ipam/store.ts';
import { readFileSync } from '../../src/sys/fs.ts';
import type { Ipam } from './ipam.ts';

/**
 * `"type": "host-local"`: addresses from ranges, kept as leases on this host that the reference plugin understands.
 * Asked-for addresses are taken from runtimeConfig.ips, else args.cni.ips, else IP of CNI_ARGS; a prefix length there
 * says nothing, since the range has one. As with the reference, the gateway is the range's and GATEWAY of CNI_ARGS is
 * passed over.
 */
export function hostLocal(config: NetworkConfig, ipam: IpamConfig): Ipam {
  const { dataDir, lockTimeoutMs, ranges, resolvConf, routes } = ipam;
  const store = openStore(dataDir, config.name, lockTimeoutMs === undefined ? {} : { lockTimeoutMs });
  return {
    dataDir,
    routes,
    add: ({ key, args, undo, inUse, ...rest }) => {
      // Before anything is leased, for it may fail.
      const dns = resolvConf === undefined ? {} : parseResolvConf(readFileSync(resolvConf));
      const pods = store.allocate(key, ranges, requestedAddresses(config, args), { inUse, ...rest });
      undo.register(() => store.release(key));
      return { pods, routes, dns };
    },
    del: (key) => {
      store.release(key);
    },
    check: (key, addresses) => {
      const leases = new Set(store.find(key).map(formatIp));
      return addresses
        .map(formatIp)
        .filter((ip) => !leases.has(ip))
        .map((ip) => `lease of ${ip} is missing`);
    },
    owners: () => [...store.owners().values()].filter((owner) => owner !== undefined),
    gc: (isValid) => {
      store.collect(isValid);
    },
    status: () => {
      try {
        store.assertUsable();
      } catch (error) {
        throw new CniError(ErrPluginNotAvailable, `ipam.dataDir: ${errorMessage(error)}`, '', {
          cause: error,
        });
      }
      if (store.hasFree(ranges)) return;
      const all = ranges.flat().map(describeRange).join(', ');
      throw new CniError(ErrPluginNotAvailable, `no address available in ${all}`);
    },
  };
}

function requestedAddresses(config: NetworkConfig, args: CniArgs): IpAddress[] {
  const wanted = config.ips.length > 0 ? config.ips : (args.ip?.split(',') ?? []);
  return wanted.map((text) => {
    const address = parseIp(text.split('/')[0] ?? '');
    if (address === undefined) throw new ConfigError('ips', `${JSON.stringify(text)} is not an IP address`);
    return address;
  });
}
