import { withFolders } from '../install/folders.ts';
import { type UninstallOptions, uninstall } from '../install/uninstall.ts';
import type { AddCommand } from './all.ts';

/** `plumb uninstall`: takes away what `plumb install` put in place. */
export const uninstallCommand: AddCommand = (program, out) => {
  withFolders(program.command('uninstall'))
    .description('take away what install put in place: configuration, link loopback, executable')
    .option('--force', 'also while containers are attached, and lists that call other plugins too')
    .action((options: UninstallOptions) => {
      const done = uninstall(options);
      out.data(done, () => {
        const lines = [
          ...done.removed.map((path) => `removed ${path}`),
          ...done.setAside.map((path) => `set aside as ${path}`),
        ];
        return lines.length === 0 ? 'nothing is installed' : lines.join('\n');
      });
    });
};
