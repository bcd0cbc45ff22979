import type { RawPortMapping } from './port-mappings.ts';

/**
 * What the JSON Schemas guarantee about a document once their generated validators have accepted it. JSON's
 * null stands for "absent" wherever the key is optional, as Go programs write it.
 */
type Optional<T> = T | null | undefined;

/** A route as JSON has it; the addresses are not checked yet. */
export interface RawRoute {
  dst: string;
  gw?: Optional<string>;
  mtu?: Optional<number>;
  advmss?: Optional<number>;
  priority?: Optional<number>;
  table?: Optional<number>;
  scope?: Optional<number>;
}

/** The `dns` object. */
export interface RawDns {
  nameservers?: Optional<readonly string[]>;
  domain?: Optional<string>;
  search?: Optional<readonly string[]>;
  options?: Optional<readonly string[]>;
}

/** One range of host-local; the addresses are not checked yet. */
export interface RawRange {
  subnet: string;
  rangeStart?: Optional<string>;
  rangeEnd?: Optional<string>;
  gateway?: Optional<string>;
}

/** The `ipam` object; `type` is missing when the object is empty. Keys of other types than ours are unchecked. */
export interface RawIpam {
  type?: string;
}

/** The keys of `"type": "host-local"`. */
export interface RawHostLocal {
  dataDir?: Optional<string>;
  resolvConf?: Optional<string>;
  subnet?: Optional<string>;
  rangeStart?: Optional<string>;
  rangeEnd?: Optional<string>;
  gateway?: Optional<string>;
  ranges?: Optional<RawRange[][]>;
  routes?: Optional<RawRoute[]>;
  lockTimeoutMs?: Optional<number>;
}

/** The keys of `"type": "static"`. */
export interface RawStatic {
  addresses?: Optional<{ address: string; gateway?: Optional<string> }[]>;
  routes?: Optional<RawRoute[]>;
  dns?: Optional<RawDns>;
}

/** The keys of tuning, at the top and in `args.cni`; what the sysctls name is not checked yet. */
export interface RawTuning {
  sysctl?: Optional<Record<string, string>>;
  promisc?: Optional<boolean>;
  allmulti?: Optional<boolean>;
  txQLen?: Optional<number>;
}

/** The `args.cni` object. */
export interface RawCniArgs extends RawTuning {
  ips?: Optional<string[]>;
  mac?: Optional<string>;
  mtu?: Optional<number>;
}

/** The keys of traffic shaping, in the entry itself or as runtimeConfig.bandwidth; the subnets are not checked yet. */
export interface RawBandwidth {
  ingressRate?: Optional<number>;
  ingressBurst?: Optional<number>;
  egressRate?: Optional<number>;
  egressBurst?: Optional<number>;
  unshapedSubnets?: Optional<string[]>;
  shapedSubnets?: Optional<string[]>;
}

/** The network configuration. */
export interface RawConfig extends RawTuning, RawBandwidth {
  cniVersion?: Optional<string>;
  name: string;
  type: string;
  mtu?: Optional<number>;
  ipMasq?: Optional<boolean>;
  mac?: Optional<string>;
  dns?: Optional<RawDns>;
  runDir?: Optional<string>;
  callLog?: Optional<string>;
  callLogLevel?: Optional<'' | 'info' | 'error'>;
  snat?: Optional<boolean>;
  masqAll?: Optional<boolean>;
  antiSpoofing?: Optional<boolean>;
  ingressPolicy?: Optional<'' | 'open' | 'same-bridge' | 'isolated'>;
  markAcceptBit?: Optional<number>;
  acceptChains?: Optional<string[]>;
  iptablesAdminChainName?: Optional<string>;
  ipam?: Optional<RawIpam>;
  args?: Optional<{ cni?: Optional<RawCniArgs> }>;
  runtimeConfig?: Optional<{
    ips?: Optional<string[]>;
    mac?: Optional<string>;
    ipRanges?: Optional<RawRange[][]>;
    portMappings?: Optional<RawPortMapping[]>;
    bandwidth?: Optional<RawBandwidth>;
    dns?: Optional<{
      servers?: Optional<string[]>;
      searches?: Optional<string[]>;
      options?: Optional<string[]>;
    }>;
  }>;
  prevResult?: unknown;
  'cni.dev/valid-attachments'?: Optional<{ containerID: string; ifname: string }[]>;
  'cni.dev/attachments'?: Optional<{ containerID: string; ifname: string }[]>;
}

/** `ip4` and `ip6` of a result of 0.1.0 and 0.2.0. */
export interface RawIpConfig {
  ip: string;
  gateway?: Optional<string>;
  routes?: Optional<RawRoute[]>;
}

/** A result of 0.1.0 or 0.2.0. */
export interface RawResult020 {
  ip4?: Optional<RawIpConfig>;
  ip6?: Optional<RawIpConfig>;
  dns?: Optional<RawDns>;
}

/** A result of 0.3.0 or later; `version` is there before 1.0.0 only. */
export interface RawResult {
  interfaces?: Optional<
    {
      name: string;
      mac?: Optional<string>;
      mtu?: Optional<number>;
      sandbox?: Optional<string>;
      socketPath?: Optional<string>;
      pciID?: Optional<string>;
    }[]
  >;
  ips?: Optional<
    {
      version?: '4' | '6';
      address: string;
      gateway?: Optional<string>;
      interface?: Optional<number>;
    }[]
  >;
  routes?: Optional<RawRoute[]>;
  dns?: Optional<RawDns>;
}
