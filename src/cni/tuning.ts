import { sysctlFile } from '../sysctl-key.ts';
import type { RawConfig, RawTuning } from './raw.ts';
import { notAllowed } from './validate.ts';

/** A sysctl to set inside the container's network namespace. */
export interface SysctlSetting {
  /** As the configuration has it, for messages and for the host's list of what is allowed. */
  readonly key: string;
  /** Where it stands in the configuration, such as `sysctl["net.core.somaxconn"]`. */
  readonly at: string;
  /** The file below /proc/sys; `IFNAME` in it stands for the container's interface. */
  readonly file: string;
  readonly value: string;
}

/** What is asked for of the reference plugin tuning, but for mac and mtu; what is absent stays as it is. */
export interface Tuning {
  /** Each file once, in the order of the configuration. */
  readonly sysctls: readonly SysctlSetting[];
  readonly promisc?: boolean;
  readonly allmulti?: boolean;
  /** Packets that the transmit queue holds. */
  readonly txQLen?: number;
}

/**
 * The keys of tuning; those of args.cni take the place of those at the top, each sysctl for itself.
 *
 * @throws ConfigError for a sysctl that is none of the network's, and for two keys that name the same
 */
export function interpretTuning(raw: RawConfig): Tuning | undefined {
  const top: RawTuning = raw;
  const args: RawTuning = raw.args?.cni ?? {};
  const sysctls = [...mergedSysctls(top, args)];
  const promisc = args.promisc ?? top.promisc ?? undefined;
  const allmulti = args.allmulti ?? top.allmulti ?? undefined;
  const txQLen = args.txQLen ?? top.txQLen ?? undefined;
  if (sysctls.length === 0 && promisc === undefined && allmulti === undefined && txQLen === undefined)
    return undefined;
  return {
    sysctls,
    ...(promisc === undefined ? {} : { promisc }),
    ...(allmulti === undefined ? {} : { allmulti }),
    ...(txQLen === undefined ? {} : { txQLen }),
  };
}

function mergedSysctls(top: RawTuning, args: RawTuning): Iterable<SysctlSetting> {
  if (!top.sysctl && !args.sysctl) return [];
  const own = settings(top, '');
  for (const [file, setting] of settings(args, 'args.cni.')) own.set(file, setting);
  return own.values();
}

function settings({ sysctl }: RawTuning, above: string): Map<string, SysctlSetting> {
  const found = new Map<string, SysctlSetting>();
  for (const [key, value] of Object.entries(sysctl ?? {})) {
    const at = `${above}sysctl[${JSON.stringify(key)}]`;
    const file = sysctlFile(key);
    if (!file?.startsWith('net/'))
      throw notAllowed(at, key, "a sysctl of the container's network such as net.core.somaxconn");
    const other = found.get(file);
    // Which of the two would count is anybody's guess.
    if (other !== undefined)
      throw notAllowed(at, key, `one key for each sysctl; ${other.key} names this one too`);
    if (value.includes('\0')) throw notAllowed(at, value, 'a string without NUL');
    found.set(file, { key, at, file, value });
  }
  return found;
}
