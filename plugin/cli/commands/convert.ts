import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { isObject } from '../../../src/cni/document.ts';
import { ConfigError } from '../../../src/errors.ts';
import { checkConfig } from '../config/check.ts';
import { formatProblem, hasErrors, type Problem } from '../config/problem.ts';
import { type Converted, convert } from '../convert/convert.ts';
import { formatJson } from '../convert/format.ts';
import { ExitCode } from '../exit-code.ts';
import { placeFile, withFolderLock } from '../install/place.ts';
import type { Output } from '../output.ts';
import type { AddCommand } from './all.ts';

/** `plumb convert FILE`: a list of reference plugins as one with plumb. */
export const convertCommand: AddCommand = (program, out) => {
  program
    .command('convert')
    .argument('<file>', 'a list (.conflist) or single configuration (.conf, .json) of reference plugins')
    .description(
      'turn a list of reference plugins into one with plumb, and say what could not be carried over',
    )
    .option('--output <file>', 'write the list to this file, by rename, and not to standard output')
    .action((file: string, { output }: { output?: string }) => {
      const checked = checkConfig(readFileSync(file, 'utf8'), basename(file));
      const { value } = checked.document;
      if (!isObject(value)) return refuse(out, file, checked.problems);
      const converted = convert(value);
      const text = `${formatJson(converted.list)}\n`;
      const { problems } = checkConfig(text, 'converted.conflist');
      if (hasErrors(problems)) return refuse(out, output ?? 'converted.conflist', problems);
      tell(out, converted, problems);
      if (output !== undefined) {
        const path = resolve(output);
        if (!path.endsWith('.conflist'))
          throw new ConfigError(output, 'the name of a list must end in .conflist');
        withFolderLock(dirname(path), () => placeFile(path, text, 0o644));
      }
      if (out.json) out.data({ ...converted, problems }, () => '');
      else if (output === undefined) process.stdout.write(text);
    });
};

const FATES = {
  lost: 'not carried over',
  needless: 'not needed',
  kept: 'kept',
} as const;

function tell(out: Output, { remarks }: Converted, problems: readonly Problem[]): void {
  for (const fate of ['lost', 'needless', 'kept'] as const) {
    for (const remark of remarks) {
      if (remark.fate === fate) out.note(`${FATES[fate]}: ${remark.path}: ${remark.why}`);
    }
  }
  for (const { path, message } of problems) out.note(`warning: ${path}: ${message}`);
}

/** The list is wrong, so that what it becomes would be. */
function refuse(out: Output, file: string, problems: readonly Problem[]): void {
  if (out.json) out.data({ problems }, () => '');
  for (const problem of problems) out.note(formatProblem(file, problem));
  out.exitCode = ExitCode.wrong;
}
