import type { Command } from 'commander';
import { readEnvironment } from '../../src/sys/environment.ts';

/** Where plugins lie, unless told otherwise. */
const DEFAULT_BIN_DIR = '/opt/cni/bin';

/** Gives a command the option `--bin-dir`. */
export function withBinDir(command: Command): Command {
  return command.option(
    '--bin-dir <dir>',
    `folder of the plugins, or several with colons (default: $CNI_PATH, else ${DEFAULT_BIN_DIR})`,
  );
}

/** What {@link withBinDir} was given. */
export interface BinDirOption {
  readonly binDir?: string;
}

/** The folders of the plugins, separated by colons, as CNI_PATH has them. */
export function binDirsOf({ binDir }: BinDirOption): string {
  const fromEnvironment = readEnvironment()['CNI_PATH'] ?? '';
  return binDir ?? (fromEnvironment === '' ? DEFAULT_BIN_DIR : fromEnvironment);
}
