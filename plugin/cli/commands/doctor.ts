import { describeRange } from '../../../src/ip/range.ts';
import { type ConfDirOption, confDirOf, withConfDir } from '../conf-dir.ts';
import { CHECKS, findProblems } from '../doctor/all.ts';
import type { Facts } from '../doctor/facts.ts';
import { gather } from '../doctor/gather.ts';
import type { Problem } from '../doctor/problem.ts';
import { fills } from '../doctor/ranges.ts';
import { ExitCode } from '../exit-code.ts';
import type { Output } from '../output.ts';
import type { AddCommand } from './all.ts';

/** `plumb doctor [ID]`: what is wrong with the network of the containers, or of one, and how to mend it. */
export const doctor: AddCommand = (program, out) => {
  withConfDir(program.command('doctor'))
    .description('find out what is wrong with the containers’ network, and how to mend it')
    .argument('[id]', 'one container only: its id or the beginning of it, its host link, or an address')
    .action((id: string | undefined, options: ConfDirOption) => {
      const facts = gather(confDirOf(options), id);
      const problems = findProblems(facts, id !== undefined);
      if (problems.some(({ doubtful }) => doubtful !== true)) out.exitCode = ExitCode.wrong;
      out.data(problems, () =>
        [...problems.map((problem) => line(out, problem)), summary(facts, id)].join('\n'),
      );
    });
};

function line(out: Output, { check, object, problem, remedy, doubtful }: Problem): string {
  const mark = doubtful === true ? out.style('yellow', 'maybe') : out.style('red', 'wrong');
  return `${mark}  ${check}: ${object}: ${problem}; to mend it: ${remedy}`;
}

function summary(facts: Facts, id: string | undefined): string {
  const containers = new Set(facts.patients.map(({ attachment }) => attachment.containerId)).size;
  const looked = `Looked at ${count(containers, 'container')} with ${count(facts.patients.length, 'interface')}`;
  const names = CHECKS.filter(({ isGeneral }) => id === undefined || isGeneral !== true).map(
    ({ name }) => name,
  );
  const filled = fills(facts).map(
    ({ network, set, used, size }) =>
      `network ${network}: ${used} of ${size} addresses of ${set.map(describeRange).join(', ')} leased`,
  );
  return [`${looked}: ${names.join(', ')}.`, ...(id === undefined ? filled : [])].join('\n');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
