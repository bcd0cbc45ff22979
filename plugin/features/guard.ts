import type { NetworkConfig } from '../../src/cni/config.ts';
import { type IpPrefix, parsePrefix } from '../../src/ip/address.ts';
import {
  addGuard,
  type Guard,
  type Guarded,
  hasGuard,
  listGuarded,
  removeGuard,
  restoreGuards,
} from '../../src/nftables/guard.ts';
import type { AttachmentRecord, RecordedGuard } from '../../src/state/record.ts';
import type { Recorded } from '../others.ts';
import type { Attached, Feature } from './feature.ts';

/** What the record of an attachment has to say about its guard; undefined where there is none. */
export function recordedGuard(config: NetworkConfig, mac: string): RecordedGuard | undefined {
  const { antiSpoofing, ingressPolicy } = config;
  if (!antiSpoofing && ingressPolicy === 'open') return undefined;
  return {
    ...(antiSpoofing ? { mac } : {}),
    ...(ingressPolicy === 'open' ? {} : { ingressPolicy }),
  };
}

/** `antiSpoofing`: a container can send only from its own addresses. `ingressPolicy`: which containers can reach it. */
export const guard: Feature = {
  name: 'guard',
  add(it, undo) {
    const wanted = guardOf(it);
    if (wanted === undefined) return;
    undo.register(() => removeGuard(it.hostEnd.name, wanted));
    addGuard(it.hostEnd.name, wanted, () => guardedOf(it.others.list()));
  },
  check(it) {
    const wanted = guardOf(it);
    return wanted === undefined || hasGuard(it.hostEnd.name, wanted)
      ? []
      : [`antiSpoofing or ingressPolicy of ${it.hostEnd.name} is not in force as a whole`];
  },
  remove({ hostName, record, later }) {
    if (record !== undefined && record.guard === undefined) return;
    removeGuard(hostName, fromRecord(record), later);
  },
  restore: (recorded) => restoreGuards(guardedOf(recorded)),
  survey() {
    const guarded = listGuarded();
    return (present) => {
      for (const hostName of guarded) if (!present.has(hostName)) removeGuard(hostName, undefined);
    };
  },
};

function guardOf({ config, containerEnd, pods }: Attached): Guard | undefined {
  const recorded = recordedGuard(config, containerEnd.mac);
  return recorded === undefined
    ? undefined
    : toGuard(
        recorded,
        pods.map(({ address }) => address),
      );
}

function guardedOf(recorded: readonly Recorded[]): Guarded[] {
  return recorded.flatMap(({ hostName, record }) => {
    const guard = fromRecord(record);
    return guard === undefined ? [] : [{ hostName, guard }];
  });
}

function fromRecord(record: AttachmentRecord | undefined): Guard | undefined {
  if (record?.guard === undefined) return undefined;
  return toGuard(
    record.guard,
    record.ips.flatMap((ip) => parsePrefix(ip) ?? []),
  );
}

function toGuard({ mac, ingressPolicy }: RecordedGuard, prefixes: readonly IpPrefix[]): Guard {
  return {
    ...(mac === undefined ? {} : { source: { mac, addresses: prefixes.map(({ address }) => address) } }),
    ...(ingressPolicy === undefined
      ? {}
      : { apart: { subnets: prefixes, isolated: ingressPolicy === 'isolated' } }),
  };
}
