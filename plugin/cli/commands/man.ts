import { manualPage } from '../describe/man.ts';
import { describeProgram } from '../describe/model.ts';
import { VERSION } from '../version.ts';
import type { AddCommand } from './all.ts';

/** `plumb man`: the manual page. */
export const manCommand: AddCommand = (program) => {
  program
    .command('man')
    .description('print the manual page, for man -l -')
    .action(() => {
      process.stdout.write(manualPage(describeProgram(program), VERSION));
    });
};
