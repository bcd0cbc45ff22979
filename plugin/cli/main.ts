import { Command, CommanderError } from 'commander';
import { COMMANDS } from './commands/all.ts';
import { ExitCode } from './exit-code.ts';
import { Output } from './output.ts';
import { VERSION } from './version.ts';

/** The command line, as the process sees it. */
export interface Cli {
  /** Runs one command and returns the exit code. Never throws: what goes wrong is told on standard error. */
  run(args: readonly string[]): Promise<number>;
}

/** The whole command line: what help, shell completion and the manual page are made of. */
export function buildProgram(out: Output): Command {
  const program = new Command('plumb')
    .description('A node’s container networking: a CNI plugin that can be asked what it did.')
    .version(VERSION, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show help')
    .option('--json', 'print JSON, for programs')
    .showHelpAfterError('(plumb --help has all commands)')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride();
  for (const add of COMMANDS) add(program, out);
  program.hook('preAction', () => out.setJson(program.opts()['json'] === true));
  return program;
}

/** See {@link Cli}. */
export async function run(args: readonly string[]): Promise<number> {
  const out = new Output();
  try {
    await buildProgram(out).parseAsync([...args], { from: 'user' });
    return out.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
    out.fail(error);
    return ExitCode.failed;
  }
}
