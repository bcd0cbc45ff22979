import { withFolders } from '../install/folders.ts';
import { type InstallOptions, install } from '../install/install.ts';
import type { AddCommand } from './all.ts';

/** `plumb install`: puts this executable and a configuration in place. */
export const installCommand: AddCommand = (program, out) => {
  withFolders(program.command('install'))
    .description('put this executable, its link loopback, and a configuration in place')
    .option('--conf <file>', 'a list to install, in the place of one of the same name')
    .action((options: InstallOptions) => {
      const done = install(options);
      const { executable, loopback, configuration, kept } = done;
      out.data(
        done,
        () => `installed ${executable}, ${loopback} -> plumb, ${configuration}${kept ? ' (kept)' : ''}`,
      );
    });
};
