import type { NetworkConfig } from '../src/cni/config.ts';
import { CniError, ErrLimitedConnectivity, ErrPluginNotAvailable } from '../src/cni/error.ts';
import { errorMessage } from '../src/errors.ts';
import { parsePrefix } from '../src/ip/address.ts';
import { listMasquerades } from '../src/nftables/masquerade.ts';
import { type AttachmentRecord, openRecords } from '../src/state/record.ts';
import { assertWritableFolder, readFileSync } from '../src/sys/fs.ts';
import { forwardingFaults } from './features/firewall.ts';
import { isForwarding } from './forwarding.ts';
import type { Ipam } from './ipam/ipam.ts';
import { hostInterfaceName } from './names.ts';

const CAPABILITIES = { CAP_NET_ADMIN: 12n, CAP_SYS_ADMIN: 21n };

/**
 * STATUS: throws {@link CniError} 50 when an ADD would fail at this moment, 51 when it would not but containers that are
 * there suffer, and says why. Takes no lock, writes nothing.
 */
export function status(config: NetworkConfig, ipam: Ipam): void {
  const effective = BigInt(
    `0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status'))?.[1] ?? '0'}`,
  );
  for (const [name, bit] of Object.entries(CAPABILITIES)) {
    if (((effective >> bit) & 1n) === 0n) {
      throw new CniError(ErrPluginNotAvailable, `${name} is missing: plumb must run as root`);
    }
  }
  try {
    assertWritableFolder(config.runDir);
  } catch (error) {
    throw new CniError(ErrPluginNotAvailable, `runDir: ${errorMessage(error)}`, '', { cause: error });
  }
  ipam.status();
  const troubles = troublesOf(config);
  if (troubles.length > 0) {
    throw new CniError(ErrLimitedConnectivity, `network ${config.name}: ${troubles.join('; ')}`);
  }
}

function troublesOf(config: NetworkConfig): string[] {
  const records = openRecords(config.runDir, config.name);
  const attachments = records.names().flatMap((name) => records.read(name) ?? []);
  const has = (family: 4 | 6): boolean =>
    attachments.some(({ ips }) => ips.some((ip) => parsePrefix(ip)?.address.family === family));
  const troubles = ([4, 6] as const)
    .filter((family) => has(family) && !isForwarding(family))
    .map((family) => `the host does not forward IPv${family}`);
  if (attachments.length > 0)
    troubles.push(...forwardingFaults(config.firewall, ([4, 6] as const).filter(has)));
  const masqueraded = attachments.filter(({ ipMasq }) => ipMasq);
  if (masqueraded.length === 0) return troubles;
  const present = new Set(listMasquerades());
  const missing = masqueraded.filter((record) => !present.has(hostInterfaceName(record)));
  return missing.length === 0 ? troubles : [...troubles, `masquerading is missing for ${enumerate(missing)}`];
}

const MOST_NAMED = 3;

function enumerate(attachments: readonly AttachmentRecord[]): string {
  const named = attachments.slice(0, MOST_NAMED).map(({ containerId, ifname }) => `${containerId} ${ifname}`);
  const more = attachments.length - named.length;
  return more === 0 ? named.join(', ') : `${named.join(', ')} and ${more} more`;
}
