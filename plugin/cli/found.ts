import { isErrno } from '../../src/errors.ts';
import type { Link } from '../../src/netlink/message/link.ts';
import { type AttachmentRecord, openRecords } from '../../src/state/record.ts';
import { readdirSync, statSync } from '../../src/sys/fs.ts';
import {
  type AttachmentKey,
  attachmentOfAlias,
  hostInterfaceName,
  ifbName,
  isHostEndOf,
  isHostInterface,
  isIfb,
} from '../names.ts';

/** An attachment as it is found: by its record, its host end, its ifb. */
export interface Found {
  readonly key: AttachmentKey;
  readonly record: AttachmentRecord | undefined;
  /** Folder of records that the record is in. */
  readonly runDir: string | undefined;
  /** When the record was written, in milliseconds since 1970. */
  readonly addedAt: number | undefined;
  readonly hostEnd: Link | undefined;
  readonly ifb: Link | undefined;
}

/** A record that cannot be read. */
export interface DamagedRecord {
  readonly runDir: string;
  readonly network: string;
  /** The name of the host end that it was for. */
  readonly hostName: string;
  /** When it was written, in milliseconds since 1970; undefined if it is gone. */
  readonly writtenAt: number | undefined;
}

/** What lies in folders of records, by the names of host ends. Throws {@link SyscallError}. */
export function readRecords(runDirs: readonly string[]): {
  readonly recorded: ReadonlyMap<string, Found>;
  readonly damaged: readonly DamagedRecord[];
} {
  const recorded = new Map<string, Found>();
  const damaged: DamagedRecord[] = [];
  for (const runDir of runDirs) {
    for (const network of foldersIn(runDir)) {
      const records = openRecords(runDir, network);
      for (const hostName of records.names()) {
        const writtenAt = records.writtenAt(hostName);
        const record = records.read(hostName);
        if (record === undefined) damaged.push({ runDir, network, hostName, writtenAt });
        else recorded.set(hostName, { ...nothingOf(keyOf(record)), record, runDir, addedAt: writtenAt });
      }
    }
  }
  return { recorded, damaged };
}

function nothingOf(key: AttachmentKey): Found {
  return {
    key,
    record: undefined,
    runDir: undefined,
    addedAt: undefined,
    hostEnd: undefined,
    ifb: undefined,
  };
}

function keyOf({ network, containerId, ifname }: AttachmentKey): AttachmentKey {
  return { network, containerId, ifname };
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => statSync(`${folder}/${name}`)?.isDirectory === true);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

/**
 * Puts the links of the host to what is recorded, and finds by the links' aliases what has no record. (A container id that
 * is too long for an alias is cut there.)
 */
export function withLinks(recorded: ReadonlyMap<string, Found>, links: readonly Link[]): Map<string, Found> {
  const found = new Map(recorded);
  for (const link of links) {
    if (isHostInterface(link.name)) {
      const known = found.get(link.name);
      const key = known?.key ?? attachmentOfAlias(link.alias);
      if (key === undefined || (known !== undefined && !isHostEndOf(link, key))) continue;
      found.set(link.name, { ...(known ?? nothingOf(key)), hostEnd: link });
    } else if (isIfb(link.name)) {
      const key = attachmentOfAlias(link.alias);
      if (key === undefined || ifbName(key) !== link.name) continue;
      const hostName = hostInterfaceName(key);
      found.set(hostName, { ...(found.get(hostName) ?? nothingOf(key)), ifb: link });
    }
  }
  return found;
}
