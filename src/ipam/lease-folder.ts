import { isErrno, SyscallError } from '../errors.ts';
import { type IpAddress, parseIp } from '../ip/address.ts';
import {
  linkSync,
  lstatSync,
  readdirSync,
  readIfPresent,
  removeFile,
  renameSync,
  writeNewSync,
} from '../sys/fs.ts';
import { formatLease, type LeaseOwner, parseLease } from './lease.ts';

const TEMPORARY = '.plumb-new';
const LONGEST_BLANK = 8;

/** What is there under the name of an address: nothing, a file without an owner (which is free too), or a lease. */
export type Slot = 'absent' | 'ownerless' | 'leased';

/**
 * The files of one network in the format of the reference plugin host-local: for each address a file that is named by
 * it and holds its owner; `last_reserved_ip.N` for each range set; `lock`. Throws {@link SyscallError}.
 *
 * Every file is written whole under another name first and then linked or renamed to its own: a process that is
 * killed leaves a complete lease or none. Nothing is synced to the disk: after a power loss no container is left that a
 * lease could belong to, and an address whose lease came out empty then counts as free, so that a sync would
 * cost every ADD some milliseconds for nothing.
 */
export class LeaseFolder {
  readonly directory: string;
  readonly #scratch: string;

  /** `scratch` is a folder for half-made files, on the same file system, where the reference plugin does not look. */
  constructor(directory: string, scratch: string) {
    this.directory = directory;
    this.#scratch = scratch;
  }

  /** Whether the folder is there. */
  exists(): boolean {
    return lstatSync(this.directory) !== undefined;
  }

  /** Names of all files that are leases by their name; none if there is no folder. */
  names(): string[] {
    try {
      return readdirSync(this.directory).filter((name) => parseIp(name) !== undefined);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return [];
      throw error;
    }
  }

  /** Who holds the lease; undefined if there is none or it names nobody. */
  owner(name: string): LeaseOwner | undefined {
    return parseLease(this.#text(name));
  }

  /** When a lease was made or last changed, in milliseconds since 1970; now if it is gone. */
  changedAt(name: string): number {
    const file = lstatSync(`${this.directory}/${name}`);
    if (file === undefined) return Date.now();
    return Math.max(Number(file.mtimeNs), Number(file.ctimeNs)) / 1e6;
  }

  /** Reads every lease. */
  all(): Map<string, LeaseOwner | undefined> {
    return new Map(this.names().map((name) => [name, this.owner(name)]));
  }

  /** What is there for an address: one system call, unless the file is suspiciously short. */
  slot(name: string): Slot {
    const file = lstatSync(`${this.directory}/${name}`);
    if (file === undefined) return 'absent';
    if (!file.isFile || file.size > LONGEST_BLANK) return 'leased';
    return this.owner(name) === undefined ? 'ownerless' : 'leased';
  }

  /** Makes a lease, in the place of one without an owner if there is one; EEXIST if somebody else made one meanwhile. */
  create(name: string, owner: LeaseOwner, slot: Slot): void {
    this.#place(formatLease(owner), (temporary) => {
      const path = `${this.directory}/${name}`;
      // Not a rename where nothing was: it would replace the lease of someone who does not care for the lock.
      if (slot !== 'absent' || !tryLink(temporary, path)) renameSync(temporary, path);
    });
  }

  /** Removes a lease; that it is gone already is no error. A folder is none, and stays. */
  remove(name: string): void {
    try {
      removeFile(`${this.directory}/${name}`);
    } catch (error) {
      if (!isErrno(error, 'EISDIR')) throw error;
    }
  }

  /** The address that was given out last from the range set with this index. */
  lastReserved(set: number): IpAddress | undefined {
    return parseIp(this.#text(`last_reserved_ip.${set}`).trim());
  }

  /** Notes which address was given out last from the range set with this index. */
  setLastReserved(set: number, name: string): void {
    this.#place(name, (temporary) => renameSync(temporary, `${this.directory}/last_reserved_ip.${set}`));
  }

  /** Removes what a killed process left half-made. */
  tidy(): void {
    tryRemove(`${this.directory}/${TEMPORARY}`);
    tryRemove(`${this.#scratch}/${TEMPORARY}`);
  }

  #text(name: string): string {
    try {
      return readIfPresent(`${this.directory}/${name}`) ?? '';
    } catch (error) {
      // Whatever a folder is, a lease it is not.
      if (isErrno(error, 'EISDIR')) return '';
      throw error;
    }
  }

  #place(text: string, put: (temporary: string) => void): void {
    try {
      placeVia(`${this.#scratch}/${TEMPORARY}`, text, put);
    } catch (error) {
      // No such folder, read-only, or another file system: the folder itself does as well. The reference plugin
      // reads the files there, but takes none for a lease whose name is no address.
      if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'EACCES', 'EPERM', 'EROFS', 'EXDEV'))
        throw error;
      placeVia(`${this.directory}/${TEMPORARY}`, text, put);
    }
  }
}

function placeVia(temporary: string, text: string, put: (temporary: string) => void): void {
  try {
    // Never opened for writing if it exists: it may be a second name of a lease, if its maker was killed.
    writeNewSync(temporary, text);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) {
      tryRemove(temporary);
      throw error;
    }
    removeFile(temporary);
    writeNewSync(temporary, text);
  }
  try {
    put(temporary);
  } catch (error) {
    tryRemove(temporary);
    throw error;
  }
}

/** False where the file system has no hard links. */
function tryLink(temporary: string, path: string): boolean {
  try {
    linkSync(temporary, path);
  } catch (error) {
    if (isErrno(error, 'EPERM', 'EOPNOTSUPP', 'ENOSYS')) return false;
    throw error;
  }
  tryRemove(temporary);
  return true;
}

// What has been done or has gone wrong before is what counts; the next one removes the left-over name.
function tryRemove(temporary: string): void {
  try {
    removeFile(temporary);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
  }
}
