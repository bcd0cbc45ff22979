import { Argument } from 'commander';
import { bashCompletion } from '../describe/bash.ts';
import { fishCompletion } from '../describe/fish.ts';
import { describeProgram, type ProgramModel } from '../describe/model.ts';
import { zshCompletion } from '../describe/zsh.ts';
import type { AddCommand } from './all.ts';

const SHELLS: ReadonlyMap<string, (program: ProgramModel) => string> = new Map([
  ['bash', bashCompletion],
  ['zsh', zshCompletion],
  ['fish', fishCompletion],
]);

/** `plumb completion SHELL`: a script that completes the command line in a shell. */
export const completionCommand: AddCommand = (program) => {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'the shell').choices([...SHELLS.keys()]))
    .description('print what makes a shell complete commands and options')
    .action((shell: string) => {
      process.stdout.write(SHELLS.get(shell)?.(describeProgram(program)) ?? '');
    });
};
