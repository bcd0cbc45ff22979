import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DEFAULT_RUN_DIR } from '../../../src/cni/config.ts';
import { isObject, type JsonObject } from '../../../src/cni/document.ts';
import { isErrno, PlumbError } from '../../../src/errors.ts';
import { openRecords } from '../../../src/state/record.ts';
import { readdirSync } from '../../../src/sys/fs.ts';
import { configFiles } from '../config/files.ts';
import { isPlumb } from '../network-list.ts';
import { DEFAULT_LIST } from './default-list.ts';
import type { Folders } from './folders.ts';
import { linkTarget, removeFile, renameIn, withFolderLock } from './place.ts';

/** What to uninstall. */
export interface UninstallOptions extends Folders {
  /** Also while containers are attached, and where lists call other plugins too. */
  readonly force?: boolean;
}

/** What was done. */
export interface Uninstalled {
  readonly removed: readonly string[];
  /** Configurations that somebody has written, under the names that they have now. */
  readonly setAside: readonly string[];
}

/** Behind the name of a configuration that is set aside: no runtime takes such a file for one. */
const ASIDE = '.uninstalled';

/**
 * Takes away what {@link install} put in place, in reverse: configurations, the link `loopback` if it leads to plumb, the
 * executable. That nothing is there is success. A configuration that is not our own is not lost but set aside.
 *
 * Throws an `Error` while containers are attached, or for a list that calls other plugins too, unless forced;
 * Node's own errors, {@link SyscallError}.
 */
export function uninstall({ force = false, ...folders }: UninstallOptions): Uninstalled {
  const binDir = resolve(folders.binDir);
  const confDir = resolve(folders.confDir);
  const ours = configFiles(confDir).flatMap((name) => readList(confDir, name) ?? []);
  if (!force) {
    assertUnused(ours);
    const shared = ours.find(({ isShared }) => isShared);
    if (shared !== undefined) {
      throw new UninstallError(
        `${join(confDir, shared.name)} calls other plugins beside plumb: take plumb out of it first, or set it aside by --force`,
      );
    }
  }
  const removed: string[] = [];
  const setAside: string[] = [];
  // First, so that no runtime calls what is not there.
  for (const { name, isOwn } of ours) {
    if (isOwn) {
      if (removeFile(join(confDir, name))) removed.push(join(confDir, name));
    } else {
      renameIn(confDir, name, `${name}${ASIDE}`);
      setAside.push(join(confDir, `${name}${ASIDE}`));
    }
  }
  if (existsSync(binDir)) {
    withFolderLock(binDir, () => {
      const loopback = join(binDir, 'loopback');
      const executable = join(binDir, 'plumb');
      if (linkTarget(loopback) === 'plumb' && removeFile(loopback)) removed.push(loopback);
      if (removeFile(executable)) removed.push(executable);
    });
  }
  return { removed, setAside };
}

/** plumb is still needed. */
class UninstallError extends PlumbError {
  readonly kind = 'config';
}

interface OwnList {
  readonly name: string;
  readonly entries: readonly JsonObject[];
  /** It is as install wrote it. */
  readonly isOwn: boolean;
  /** It calls other plugins too. */
  readonly isShared: boolean;
}

/** A configuration that calls plumb; undefined for others, and for what cannot be read. */
function readList(folder: string, name: string): OwnList | undefined {
  let text: string;
  let value: unknown;
  try {
    text = readFileSync(join(folder, name), 'utf8');
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  const plugins = Array.isArray(value['plugins']) ? value['plugins'].filter(isObject) : [value];
  const entries = plugins.filter(isPlumb);
  if (entries.length === 0) return undefined;
  return { name, entries, isOwn: text === DEFAULT_LIST, isShared: entries.length < plugins.length };
}

const MOST_NAMED = 3;

function assertUnused(lists: readonly OwnList[]): void {
  const runDirs = new Set([DEFAULT_RUN_DIR]);
  for (const { entries } of lists) {
    for (const { runDir } of entries) if (typeof runDir === 'string' && runDir !== '') runDirs.add(runDir);
  }
  const attached = [...runDirs].flatMap(attachmentsIn);
  if (attached.length === 0) return;
  const named = attached.slice(0, MOST_NAMED).join(', ');
  const more = attached.length > MOST_NAMED ? ` and ${attached.length - MOST_NAMED} more` : '';
  throw new UninstallError(
    `containers are attached, and their runtime needs plumb to detach them: ${named}${more}; stop them first, or use --force`,
  );
}

function attachmentsIn(runDir: string): string[] {
  return unlessAbsent(() => readdirSync(runDir)).flatMap((network) => {
    const records = openRecords(runDir, network);
    return unlessAbsent(() => records.names()).map((name) => {
      const record = records.read(name);
      return record === undefined
        ? `${name} of network ${network}`
        : `${record.containerId} ${record.ifname} of network ${network}`;
    });
  });
}

/** What a folder holds; nothing if it is not there or is none. */
function unlessAbsent(list: () => string[]): string[] {
  try {
    return list();
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}
