import { checkFiles } from '../config/files.ts';
import { formatProblem, hasErrors } from '../config/problem.ts';
import { ExitCode } from '../exit-code.ts';
import type { AddCommand } from './all.ts';

/** `plumb check-config FILE...`: everything that is wrong with configuration files, with line and column. */
export const checkConfigCommand: AddCommand = (program, out) => {
  program
    .command('check-config')
    .argument('<file...>', 'lists (.conflist) or single configurations (.conf, .json)')
    .description('say what is wrong with configuration files, with line and column')
    .option('--no-host', "do not compare subnets with this host's routes")
    .action((files: string[], options: { host: boolean }) => {
      const checked = checkFiles(files, options);
      out.data(checked, () =>
        checked
          .map(({ file, problems }) =>
            problems.length === 0
              ? `${file}: ${out.style('green', 'good')}`
              : problems.map((problem) => formatProblem(file, problem)).join('\n'),
          )
          .join('\n'),
      );
      if (checked.some(({ problems }) => hasErrors(problems))) out.exitCode = ExitCode.wrong;
    });
};
