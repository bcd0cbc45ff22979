import type { Command } from 'commander';
import { readEnvironment } from '../../src/sys/environment.ts';

/** Where runtimes look for network configurations, unless told otherwise. */
const DEFAULT_CONF_DIR = '/etc/cni/net.d';

/** Gives a command the option `--conf-dir`. */
export function withConfDir(command: Command): Command {
  return command.option(
    '--conf-dir <dir>',
    `folder of the network configurations (default: $NETCONFPATH, else ${DEFAULT_CONF_DIR})`,
  );
}

/** What {@link withConfDir} was given. */
export interface ConfDirOption {
  readonly confDir?: string;
}

/** The folder of the network configurations. */
export function confDirOf({ confDir }: ConfDirOption): string {
  const fromEnvironment = readEnvironment()['NETCONFPATH'] ?? '';
  return confDir ?? (fromEnvironment === '' ? DEFAULT_CONF_DIR : fromEnvironment);
}
