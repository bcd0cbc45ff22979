import type { NetworkConfig } from '../src/cni/config.ts';
import { CniError } from '../src/cni/error.ts';
import { errorMessage } from '../src/errors.ts';
import { describeRange, resolveRangeSets } from '../src/ipam/ranges.ts';
import { assertWritableFolder, readFileSync } from '../src/sys/fs.ts';
import { storeOf } from './ipam.ts';

const CAPABILITIES = { CAP_NET_ADMIN: 12n, CAP_SYS_ADMIN: 21n };

/** STATUS: throws {@link CniError} 50 when an ADD would fail at this moment, and says why. Takes no lock, writes nothing. */
export function status(config: NetworkConfig): void {
  const store = storeOf(config);
  const sets = config.ipam === undefined ? [] : resolveRangeSets(config.ipam.ranges, 'ipam.ranges');
  const effective = BigInt(
    `0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status'))?.[1] ?? '0'}`,
  );
  for (const [name, bit] of Object.entries(CAPABILITIES)) {
    if (((effective >> bit) & 1n) === 0n)
      throw new CniError(50, `${name} is missing: plumb must run as root`);
  }
  const usable = (key: string, check: () => void): void => {
    try {
      check();
    } catch (error) {
      throw new CniError(50, `${key}: ${errorMessage(error)}`, '', { cause: error });
    }
  };
  usable('runDir', () => assertWritableFolder(config.runDir));
  if (store === undefined) return;
  usable('ipam.dataDir', () => store.assertUsable());
  if (!store.hasFree(sets)) {
    throw new CniError(50, `no address available in ${sets.flat().map(describeRange).join(', ')}`);
  }
}
