import { isErrno } from '../errors.ts';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readIfPresent,
  removeFile,
  renameSync,
  writeNewSync,
} from '../sys/fs.ts';
import { isAttachmentRecord } from './generated/validate-record.js';

/** What one ADD set up, for the DEL, CHECK and GC that come later. Shape: schemas/attachment-record.schema.json. */
export interface AttachmentRecord {
  readonly version: 1;
  readonly network: string;
  readonly containerId: string;
  readonly ifname: string;
  /** The container's network namespace: CNI_NETNS as given, and which namespace that was (stat(2)). */
  readonly netns: { readonly path: string; readonly dev: number; readonly ino: number };
  /** The container's addresses, CIDR notation. */
  readonly ips: readonly string[];
  /** Where the leases of these addresses lie, if they have any. */
  readonly dataDir?: string;
  /** Whether the host end is masqueraded. */
  readonly ipMasq: boolean;
  /** The ports of the host that lead to the container, if there are any. */
  readonly ports?: readonly RecordedPort[];
  /** How the container sees what comes by its ports; absent from records of older versions. */
  readonly sourceNat?: { readonly snat: boolean; readonly masqAll: boolean };
  /** There is an ifb for what the container sends. */
  readonly ifb?: true;
  /** What the container's traffic is held to, if it is held to anything. */
  readonly guard?: RecordedGuard;
  /** The bit of the mark by which its forwarding is accepted, if it is. */
  readonly markAcceptBit?: number;
}

/** What a container's traffic is held to. */
export interface RecordedGuard {
  /** The MAC that it may send from (`antiSpoofing`). */
  readonly mac?: string;
  readonly ingressPolicy?: 'same-bridge' | 'isolated';
}

/** A port of the host that leads to a container. */
export interface RecordedPort {
  readonly family: 4 | 6;
  /** IPPROTO_*. */
  readonly protocol: number;
  readonly hostPort: number;
  /** The one address of the host that it is bound to. */
  readonly hostIp?: string;
  /** The port of the container; absent from records of older versions. */
  readonly containerPort?: number;
}

/** Opens the records of a network below `runDir`; nothing is read or made before they are used. */
export function openRecords(runDir: string, network: string): RecordFolder {
  return new RecordFolder(`${runDir}/${network}`);
}

/**
 * The attachment records of one network: `<runDir>/<network>/<name>.json`, where the name is that of the host end.
 * They lie where a reboot clears them, as it clears what they describe. Each is written aside and then put in place,
 * so that it is there as a whole or not at all. None is needed: whoever finds a record missing or damaged
 * goes by names. All methods throw {@link SyscallError} when the disk fails them.
 */
export class RecordFolder {
  /** Absolute path; made when the first record is written. */
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Whether a record has been written since the folder's file system was mounted. */
  exists(): boolean {
    return lstatSync(this.directory) !== undefined;
  }

  /** Writes a record, in the place of an older one; returns what {@link RecordFolder.takeBack} wants. */
  write(name: string, record: AttachmentRecord): string {
    const text = `${JSON.stringify(record)}\n`;
    const aside = this.#aside(name);
    try {
      writeNewSync(aside, text);
    } catch (error) {
      // There is no folder yet, or a writer was killed here.
      if (!isErrno(error, 'ENOENT', 'EEXIST')) throw error;
      mkdirSync(this.directory, 0o700);
      removeFile(aside);
      writeNewSync(aside, text);
    }
    renameSync(aside, this.#path(name));
    return text;
  }

  /** The record of that name; undefined if there is none that can be read. */
  read(name: string): AttachmentRecord | undefined {
    return decode(this.#text(name));
  }

  /** When a record was written, in milliseconds since 1970; undefined if there is none. */
  writtenAt(name: string): number | undefined {
    const file = lstatSync(this.#path(name)) ?? lstatSync(this.#aside(name));
    return file === undefined ? undefined : Number(file.mtimeNs / 1_000_000n);
  }

  /** Names of all records, also of damaged and half-made ones. */
  names(): string[] {
    try {
      const files = readdirSync(this.directory);
      return [...new Set(files.map((file) => file.replace(/^\.(.*)\.new$|^([^.].*)\.json$/, '$1$2')))];
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return [];
      throw error;
    }
  }

  /** Removes a record, and what a killed writer of it left; absence is success. */
  remove(name: string): void {
    removeFile(this.#path(name));
    removeFile(this.#aside(name));
  }

  /** Removes a record if it is the one that was written, and not one that somebody wrote since. */
  takeBack(name: string, written: string): void {
    removeFile(this.#aside(name));
    if (this.#text(name) === written) this.remove(name);
  }

  #text(name: string): string {
    try {
      return readIfPresent(this.#path(name)) ?? '';
    } catch {
      return '';
    }
  }

  #path(name: string): string {
    return `${this.directory}/${name}.json`;
  }

  #aside(name: string): string {
    return `${this.directory}/.${name}.new`;
  }
}

function decode(text: string): AttachmentRecord | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isAttachmentRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
