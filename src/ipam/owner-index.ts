import { isErrno } from '../errors.ts';
import { fnv1a64 } from '../hash.ts';
import {
  mkdirSync,
  readdirSync,
  readlinkSync,
  removeFile,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
} from '../sys/fs.ts';

const NANOSECONDS = 1_000_000_000n;
const BOOT = 'boot';

/**
 * Tells which lease files an owner has without reading them all: a folder of symbolic links, one an owner, named by a
 * hash of what its leases hold, whose target text is the list of the lease files' names. A link takes one call to
 * make and one to read, and no block on the disk.
 *
 * An entry is a hint and no more: whoever uses one reads the lease files that it names. That nothing is *missing* here
 * is known from the times of modification. When we are done we set that of the lease folder and of this folder to the
 * same whole second in the past. Whoever changes either of them afterwards (the reference plugin, an administrator, a
 * process of ours that is killed halfway) leaves another time there, and the next user makes the index anew.
 * Times as the kernel sets them would not do: they move in ticks, and two changes within one tick look like one.
 *
 * No failure here is one of the store's: an index that cannot be written is simply never current.
 */
export class OwnerIndex {
  /** Where the entries are. */
  readonly directory: string;
  readonly #leases: string;
  #broken = false;

  constructor(directory: string, leases: string) {
    this.directory = directory;
    this.#leases = leases;
  }

  /** Whether every lease is in the index: nobody changed anything since the last {@link OwnerIndex.seal}. */
  isCurrent(): boolean {
    try {
      const index = statSync(this.directory);
      if (index === undefined || index.mtimeNs % NANOSECONDS !== 0n) return false;
      return statSync(this.#leases)?.mtimeNs === index.mtimeNs;
    } catch {
      return false;
    }
  }

  /** Names of the lease files that may be those of `key`, others may be among them; undefined if it cannot be read. */
  get(key: string): string[] | undefined {
    try {
      return readlinkSync(this.#path(key))?.split(',') ?? [];
    } catch {
      return undefined;
    }
  }

  /** Adds names to the entry of `key`. Must come before the lease files themselves are made. */
  add(key: string, names: readonly string[]): void {
    this.#attempt(() =>
      this.#write(this.#path(key), [...new Set([...this.#entry(key), ...names])].join(',')),
    );
  }

  /** Takes names out of the entry of `key`. Must come after the lease files are gone. */
  remove(key: string, names: readonly string[]): void {
    this.#attempt(() => {
      const rest = this.#entry(key).filter((name) => !names.includes(name));
      if (rest.length > 0) this.#write(this.#path(key), rest.join(','));
      else removeFile(this.#path(key));
    });
  }

  /** Makes the index anew from all leases (key and name of each) and seals it. */
  rebuild(leases: Iterable<readonly [key: string, name: string]>): void {
    this.#broken = false;
    this.#attempt(() => {
      mkdirSync(this.directory, 0o700);
      const entries = new Map<string, string>();
      for (const [key, name] of leases) {
        const path = this.#path(key);
        const before = entries.get(path);
        entries.set(path, before === undefined ? name : `${before},${name}`);
      }
      for (const file of readdirSync(this.directory)) {
        const path = `${this.directory}/${file}`;
        if (file === BOOT) continue;
        if (!entries.has(path)) removeFile(path);
        else if (sorted(targetOf(path)) === sorted(entries.get(path))) entries.delete(path);
      }
      for (const [path, target] of entries) this.#write(path, target);
    });
    this.seal();
  }

  /** The boot (its boot_id) that {@link OwnerIndex.setBoot} was last told; undefined if there is none. */
  boot(): string | undefined {
    return targetOf(`${this.directory}/${BOOT}`);
  }

  /** Notes the boot in which the leases were last looked through for what a reboot left. */
  setBoot(id: string): void {
    this.#attempt(() => this.#write(`${this.directory}/${BOOT}`, id));
  }

  /** Declares the index complete; does nothing if any change to it failed since it was last made anew. */
  seal(): void {
    if (this.#broken) return;
    this.#attempt(() => {
      const time = Math.floor(Date.now() / 1000) - 2;
      utimesSync(this.#leases, time);
      utimesSync(this.directory, time);
    });
  }

  #entry(key: string): string[] {
    const names = this.get(key);
    if (names === undefined) throw new Error('an entry that cannot be read cannot be changed');
    return names;
  }

  #attempt(fn: () => void): void {
    try {
      fn();
    } catch {
      this.#broken = true;
    }
  }

  #write(path: string, target: string): void {
    try {
      symlinkSync(target, path);
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      const temporary = `${this.directory}/.entry`;
      removeFile(temporary);
      symlinkSync(target, temporary);
      renameSync(temporary, path);
    }
  }

  #path(key: string): string {
    // Two owners of one hash share an entry.
    return `${this.directory}/${fnv1a64(key)}`;
  }
}

// The order in which a folder lists its files is nobody's.
function sorted(target: string | undefined): string | undefined {
  return target?.split(',').sort().join(',');
}

function targetOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
