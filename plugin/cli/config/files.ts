import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { isErrno } from '../../../src/errors.ts';
import { type CheckedConfig, checkConfig } from './check.ts';
import { hostNetworks } from './host-routes.ts';
import type { Path } from './path.ts';
import { showPath } from './path.ts';
import type { Problem } from './problem.ts';
import { describeOverlaps, neighboursIn } from './subnets.ts';

/** Whether a runtime takes a file of this name for a configuration. */
export function isConfigName(name: string): boolean {
  return /\.(conf|conflist|json)$/.test(name);
}

/** The configuration files of a folder, in the runtime's order; none if it is not there. Throws Node's own errors. */
export function configFiles(folder: string): string[] {
  try {
    return readdirSync(folder).filter(isConfigName).toSorted();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** A file and what is wrong with it. */
export interface CheckedFile {
  readonly file: string;
  readonly problems: readonly Problem[];
}

/**
 * Checks configuration files, each by itself, against those that lie in its folder, and, if `host` is given, against
 * the host's routes.
 *
 * Throws Node's own errors for a file that cannot be read, {@link NetlinkError}.
 */
export function checkFiles(files: readonly string[], options: { readonly host: boolean }): CheckedFile[] {
  const host = options.host ? hostNetworks() : [];
  return files.map((file) => {
    const checked = checkConfig(readFileSync(file, 'utf8'), basename(file));
    const others = checked.callsPlumb ? besides(file) : [];
    const networks = others.flatMap(({ file: other, config }) =>
      config.name === checked.name
        ? []
        : neighboursIn(other, config.name ?? '(without a name)', config.subnets),
    );
    const warn = (path: Path, message: string): Problem => ({
      severity: 'warning',
      path: showPath(path),
      message,
      ...checked.document.placeOfValue(path),
    });
    const twins = others.filter(({ config }) => config.name !== undefined && config.name === checked.name);
    const relations = [
      ...twins.map(({ file: other }) =>
        warn(['name'], `${other} has a network of this name too: rename one`),
      ),
      ...(checked.callsPlumb ? describeOverlaps(checked.subnets, [...host, ...networks]) : []).map(
        ({ path, message }) => warn(path, message),
      ),
    ];
    const problems = [...checked.problems, ...relations];
    return { file, problems: problems.toSorted((a, b) => a.line - b.line || a.column - b.column) };
  });
}

/** The other configurations in a file's folder, as far as they can be read. */
function besides(file: string): { readonly file: string; readonly config: CheckedConfig }[] {
  const folder = dirname(resolve(file));
  return configFiles(folder).flatMap((name) => {
    if (name === basename(file)) return [];
    try {
      return [{ file: name, config: checkConfig(readFileSync(join(folder, name), 'utf8'), name) }];
    } catch {
      return [];
    }
  });
}
