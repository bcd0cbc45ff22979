import type { Command } from 'commander';

/** Where an executable and its configurations are. */
export interface Folders {
  /** Where the runtime looks for plugins. */
  readonly binDir: string;
  /** Where the runtime looks for configurations. */
  readonly confDir: string;
}

/** Adds the options that {@link Folders} are read from. */
export function withFolders(command: Command): Command {
  return command
    .option('--bin-dir <dir>', 'where the runtime looks for plugins', '/opt/cni/bin')
    .option('--conf-dir <dir>', 'where the runtime looks for configurations', '/etc/cni/net.d');
}
