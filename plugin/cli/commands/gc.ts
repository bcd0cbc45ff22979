import { InvalidArgumentError } from 'commander';
import { errorMessage } from '../../../src/errors.ts';
import { parseIp } from '../../../src/ip/address.ts';
import { connect } from '../../../src/netlink/socket.ts';
import { statOrNothing } from '../../../src/sys/find-file.ts';
import { LockTimeoutError } from '../../../src/sys/flock.ts';
import { lstatSync } from '../../../src/sys/fs.ts';
import { isOccupied } from '../../occupied.ts';
import { type BinDirOption, binDirsOf, withBinDir } from '../bin-dir.ts';
import { type ConfDirOption, confDirOf, withConfDir } from '../conf-dir.ts';
import { ExitCode } from '../exit-code.ts';
import { type CollectOptions, collect } from '../gc/collect.ts';
import { findGarbage, type Garbage, type Judged } from '../gc/garbage.ts';
import { addressesInUse } from '../gc/namespaces.ts';
import { describeItem, type ItemJson, itemJson } from '../gc/report.ts';
import { type Inventory, takeInventory } from '../inventory.ts';
import type { Lease } from '../leases.ts';
import { isNamespaceOf } from '../namespace-state.ts';
import type { Output } from '../output.ts';
import type { AddCommand } from './all.ts';

type Options = ConfDirOption & BinDirOption & { readonly dryRun?: true; readonly lockTimeout: number };

/** `plumb gc`: collects what has no living namespace. */
export const gc: AddCommand = (program, out) => {
  withBinDir(withConfDir(program.command('gc')))
    .description('collect what is left of containers that are gone')
    .argument('[network]', 'of this network alone')
    .option('-n, --dry-run', 'show what would be collected, and collect nothing')
    .option('--lock-timeout <seconds>', 'how long to wait for the lock of the leases', seconds, 20)
    .action((network: string | undefined, options: Options) => {
      const inventory = takeInventory(confDirOf(options));
      refuseInside(inventory);
      const garbage = judge(inventory, network);
      if (options.dryRun === true) {
        print(out, { dryRun: true, garbage, collected: garbage.collectable, failed: [] });
        return;
      }
      const { collected, failed } = collectAll(garbage, inventory, out, {
        lockTimeoutMs: options.lockTimeout * 1000,
        binDirs: binDirsOf(options),
      });
      print(out, { dryRun: false, garbage, collected, failed });
      if (failed.length > 0) out.exitCode = ExitCode.failed;
    });
};

/** Throws an `Error` in the network namespace of a container, where all links of the host look gone. */
function refuseInside({ attachments }: Inventory): void {
  const own = statOrNothing('/proc/self/ns/net');
  const inside = attachments.find(({ record }) => record !== undefined && isNamespaceOf(record, own));
  if (inside === undefined) return;
  const { containerId, network } = inside;
  throw new Error(
    `this is the network namespace of container ${containerId} of network ${network}: run plumb gc in that of the host`,
  );
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 600))
    throw new InvalidArgumentError('It must be a number from 0 to 600.');
  return value;
}

function judge(inventory: Inventory, network: string | undefined): Garbage {
  let everywhere: Set<string> | undefined;
  const host = connect();
  try {
    return findGarbage(inventory, network, {
      now: Date.now(),
      madeAt,
      isInUse: (address) => {
        everywhere ??= addressesInUse();
        const ip = parseIp(address);
        return everywhere.has(address) || (ip !== undefined && isOccupied(host, ip));
      },
    });
  } finally {
    host.close();
  }
}

function madeAt({ dataDir, network, address }: Lease): number {
  const file = lstatSync(`${dataDir}/${network}/${address}`);
  return file === undefined ? Date.now() : Number(file.mtimeNs / 1_000_000n);
}

interface Failure {
  readonly judged: Judged;
  readonly error: string;
}

const PROGRESS_MS = 1000;

function collectAll(
  { collectable }: Garbage,
  inventory: Inventory,
  out: Output,
  options: CollectOptions,
): { readonly collected: Judged[]; readonly failed: Failure[] } {
  const collected: Judged[] = [];
  const failed: Failure[] = [];
  const locked = new Map<string, string>();
  let told = performance.now();
  for (const [i, judged] of collectable.entries()) {
    if (performance.now() - told > PROGRESS_MS) {
      out.note(`${i} of ${collectable.length} …`);
      told = performance.now();
    }
    const { network } = itemJson(judged);
    // Who waited in vain for one lease of a network would do so for all of them.
    const lock = network === null ? undefined : locked.get(network);
    try {
      if (lock !== undefined) failed.push({ judged, error: lock });
      else if (collect(judged.item, inventory, options)) collected.push(judged);
    } catch (error) {
      if (error instanceof LockTimeoutError && network !== null) locked.set(network, errorMessage(error));
      failed.push({ judged, error: errorMessage(error) });
    }
  }
  return { collected, failed };
}

interface Report {
  readonly dryRun: boolean;
  readonly garbage: Garbage;
  readonly collected: readonly Judged[];
  readonly failed: readonly Failure[];
}

function print(out: Output, { dryRun, garbage, collected, failed }: Report): void {
  const value = {
    dryRun,
    collected: collected.map(itemJson),
    kept: garbage.kept.map(itemJson),
    failed: failed.map(({ judged, error }) => ({ ...itemJson(judged), error })),
  };
  const line = (verb: string, it: ItemJson, reason: string): string =>
    `${verb} ${describeItem(it)}: ${reason}`;
  out.data(value, () => {
    const lines = [
      ...value.collected.map((it) => line(dryRun ? 'would collect' : 'collected', it, it.why)),
      ...value.failed.map((it) => line(out.style('red', 'failed:'), it, it.error)),
      ...value.kept.map((it) => line('kept', it, it.why)),
    ];
    return lines.length === 0 ? 'nothing to collect' : lines.join('\n');
  });
}
