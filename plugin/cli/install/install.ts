import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { ConfigError, errorMessage } from '../../../src/errors.ts';
import { runProgram } from '../../../src/sys/program.ts';
import { checkConfig } from '../config/check.ts';
import { formatProblem } from '../config/problem.ts';
import { DEFAULT_LIST, DEFAULT_LIST_NAME } from './default-list.ts';
import type { Folders } from './folders.ts';
import { placeFile, placeLink, withFolderLock } from './place.ts';

/** What to install, and where. */
export interface InstallOptions extends Folders {
  /** A list to install, in the place of one of the same name; without it one of our own, unless there is one. */
  readonly conf?: string;
}

/** What is in place now. */
export interface Installed {
  readonly executable: string;
  readonly loopback: string;
  readonly configuration: string;
  /** The configuration was there already, and may have been edited. */
  readonly kept: boolean;
}

// The running executable itself, even if its file has been replaced meanwhile.
const SELF = '/proc/self/exe';

/**
 * Installs the running executable and, after it, a configuration. Everything that can be wrong with the
 * configuration is found before anything is changed; every file is whole at every moment.
 *
 * Throws {@link ConfigError} for a configuration that plumb or the runtime would refuse, Node's own errors,
 * {@link SyscallError}.
 */
export function install({ conf, ...folders }: InstallOptions): Installed {
  const binDir = resolve(folders.binDir);
  const confDir = resolve(folders.confDir);
  const configuration = join(confDir, conf === undefined ? DEFAULT_LIST_NAME : basename(conf));
  const kept = conf === undefined && existsSync(configuration);
  const text = conf === undefined ? DEFAULT_LIST : readFileSync(conf, 'utf8');
  if (conf !== undefined) assertUsable(conf, text);
  for (const folder of [binDir, confDir]) mkdirSync(folder, { recursive: true });
  const executable = join(binDir, 'plumb');
  const loopback = join(binDir, 'loopback');
  withFolderLock(binDir, () => {
    placeFile(executable, readFileSync(SELF), 0o755, assertAnswers);
    // A link, so that one rename is an upgrade of both; relative, so that the folder may be mounted anywhere.
    placeLink(loopback, 'plumb');
    // Last, because a runtime takes the node for ready when it sees it.
    if (!kept) placeFile(configuration, text, 0o644);
  });
  return { executable, loopback, configuration, kept };
}

function assertUsable(file: string, text: string): void {
  if (!file.endsWith('.conflist')) throw new ConfigError(file, 'the name of a list must end in .conflist');
  const { problems, callsPlumb } = checkConfig(text, basename(file));
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) {
    const lines = errors.map((problem) => `\n${formatProblem(file, problem)}`).join('');
    throw new ConfigError(file, `not installed, as it is wrong:${lines}`);
  }
  if (!callsPlumb) throw new ConfigError(file, 'not installed, as it has no plugin of type plumb');
}

function assertAnswers(path: string): void {
  let output: string;
  try {
    output = runProgram(path, '{}', { CNI_COMMAND: 'VERSION' }).stdout;
  } catch (error) {
    output = errorMessage(error);
  }
  if (!output.includes('supportedVersions')) throw new Error(`it does not answer VERSION: ${output}`);
}
