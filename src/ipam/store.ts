import { ConfigError, isErrno } from '../errors.ts';
import { formatIp, type IpAddress, type IpPrefix, parseIp } from '../ip/address.ts';
import { describeRange, type RangeSet } from '../ip/range.ts';
import { LockTimeoutError, withFlock } from '../sys/flock.ts';
import { assertWritableFolder, mkdirSync, readFileSync } from '../sys/fs.ts';
import { type Candidate, candidates } from './candidates.ts';
import { LeaseExistsError, RangeExhaustedError } from './errors.ts';
import { formatLease, type LeaseOwner } from './lease.ts';
import { LeaseFolder, type Slot } from './lease-folder.ts';
import { OwnerIndex } from './owner-index.ts';
import { matchRequests } from './requests.ts';

export type { LeaseOwner } from './lease.ts';

/** An address that was given out, with its subnet's prefix length and gateway. */
export interface Allocation {
  readonly address: IpPrefix;
  readonly gateway: IpAddress;
}

/** How {@link openStore} behaves. */
export interface StoreOptions {
  /** How long to wait for the lock, in milliseconds; 20 s unless told. */
  readonly lockTimeoutMs?: number;
}

/** What {@link LeaseStore.allocate} may be told. */
export interface AllocateOptions {
  /** Whether an address is in use although nobody has a lease on it (its lease was lost, say); asked for free ones only. */
  readonly inUse?: (ip: IpAddress) => boolean;
  /**
   * Given when the machine may have been rebooted since the last call: leases of before that are given up then, unless
   * this says that their owner's attachment exists.
   */
  readonly isLive?: (owner: LeaseOwner) => boolean;
}

/** An address that is about to be leased, and what is there under its name. */
interface Pick extends Candidate {
  readonly name: string;
  readonly slot: Slot;
}

const DEFAULT_LOCK_TIMEOUT_MS = 20_000;
// A reader can do without the lock, at the price of reading every lease.
const READER_LOCK_TIMEOUT_MS = 1_000;
// Where this many addresses in a row are taken, reading all names once is cheaper than asking for each.
const LOOKUPS_BEFORE_LISTING = 64;
const MOST_VETOES = 65_536;
const MOST_RACES = 16;

/** Opens the leases of a network below `dataDir`; nothing is read or made before they are used. */
export function openStore(dataDir: string, network: string, options: StoreOptions = {}): LeaseStore {
  return new LeaseStore(dataDir, network, options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS);
}

/**
 * The leases of one network, in a folder that the reference plugin host-local may work on at the same time: both take
 * the same lock. Beside it lies `.plumb-index.<network>`, which spares ADD and DEL from reading every lease;
 * it may be removed at any time. All methods throw {@link SyscallError} when the disk fails them.
 *
 * A process may be killed at any point: an entry of the index is made before its lease and removed after it, and the
 * index counts as complete only once all is done.
 */
export class LeaseStore {
  readonly #folder: LeaseFolder;
  readonly #index: OwnerIndex;
  readonly #lockTimeoutMs: number;

  constructor(dataDir: string, network: string, lockTimeoutMs: number) {
    const directory = `${dataDir}/${network}`;
    // No network's folder, as a network's name cannot start with a dot. Where this is too long for a file's name there
    // is no index.
    const index = `${dataDir}/.plumb-index.${network}`;
    this.#folder = new LeaseFolder(directory, index);
    this.#index = new OwnerIndex(index, directory);
    this.#lockTimeoutMs = lockTimeoutMs;
  }

  /**
   * Gives the owner one address of each range set, all or none: the requested ones, and for the other sets the next
   * free one behind that which was given out last. An owner that has any lease in this network gets an error, also if it
   * asks for the very address that it has: its first ADD may have come halfway, and only DEL cleans up behind it.
   *
   * @throws LeaseExistsError if the owner has leases
   * @throws RangeExhaustedError if a set has no free address
   * @throws ConfigError if a requested address cannot be given
   * @throws LockTimeoutError if the lock is not to be had in time
   */
  allocate(
    owner: LeaseOwner,
    sets: readonly RangeSet[],
    requested: readonly IpAddress[],
    options: AllocateOptions = {},
  ): Allocation[] {
    const wanted = matchRequests(sets, requested);
    const inUse = options.inUse ?? (() => false);
    if (!this.#folder.exists()) mkdirSync(this.#folder.directory, 0o755);
    return this.#locked(this.#lockTimeoutMs, () => {
      if (options.isLive !== undefined) this.#reclaim(options.isLive);
      const { names } = this.#lookUp(owner);
      if (names.length > 0) throw new LeaseExistsError(owner.containerId, owner.ifname, names);
      for (let race = 0; ; race++) {
        const picks = sets.map((set, index) => {
          const request = wanted.get(index);
          return request === undefined ? this.#next(set, index, inUse) : this.#exactly(request, inUse);
        });
        try {
          this.#lease(owner, picks);
        } catch (error) {
          // Somebody made a lease of that name without the lock: look again.
          if (isErrno(error, 'EEXIST') && race < MOST_RACES) continue;
          throw error;
        }
        return picks.map(({ range, ip }) => ({
          address: { address: ip, prefixLength: range.subnet.prefixLength },
          gateway: range.gateway,
        }));
      }
    });
  }

  /**
   * Removes every lease of the owner; none is success. As with host-local, leases of the old format, which hold the
   * container id alone, are the owner's if it has no others.
   *
   * @returns the addresses that are free now
   * @throws LockTimeoutError if the lock is not to be had in time
   */
  release(owner: LeaseOwner): IpAddress[] {
    if (!this.#folder.exists()) return [];
    return this.#locked(this.#lockTimeoutMs, () => {
      const { key, names } = this.#lookUp(owner);
      if (names.length === 0) return [];
      for (const name of names) this.#folder.remove(name);
      this.#index.remove(key, names);
      this.#index.seal();
      return addresses(names);
    });
  }

  /** The owner's addresses. Takes the lock only if the index is not up to date, and goes without if it must. */
  find(owner: LeaseOwner): IpAddress[] {
    if (!this.#folder.exists()) return [];
    if (this.#index.isCurrent()) return addresses(this.#indexed(owner).names);
    try {
      const timeoutMs = Math.min(this.#lockTimeoutMs, READER_LOCK_TIMEOUT_MS);
      return this.#locked(timeoutMs, () => addresses(this.#lookUp(owner).names));
    } catch (error) {
      if (!(error instanceof LockTimeoutError) && !isErrno(error, 'EROFS', 'EACCES', 'EPERM')) throw error;
      return addresses(select(this.#folder.all(), owner).names);
    }
  }

  /** Who has which address, by the name of the lease file; undefined for one without an owner. Takes no lock. */
  owners(): Map<string, LeaseOwner | undefined> {
    return this.#folder.all();
  }

  /**
   * Removes the leases whose owner is not `valid`, and those that name no owner. A lease of the old format asks with
   * the empty `ifname`.
   *
   * @returns the addresses that are free now
   * @throws LockTimeoutError if the lock is not to be had in time
   */
  collect(valid: (owner: LeaseOwner) => boolean): IpAddress[] {
    if (!this.#folder.exists()) return [];
    return this.#locked(this.#lockTimeoutMs, () => {
      const leases = this.#folder.all();
      const stale = [...leases].filter(([, owner]) => owner === undefined || !valid(owner));
      for (const [name] of stale) {
        this.#folder.remove(name);
        leases.delete(name);
      }
      this.#folder.tidy();
      this.#index.rebuild(keyed(leases));
      return addresses(stale.map(([name]) => name));
    });
  }

  /** Whether an ADD would find an address in each set at this moment. Takes no lock and writes nothing. */
  hasFree(sets: readonly RangeSet[]): boolean {
    return sets.every((set, index) => this.#firstFree(set, index, () => false) !== undefined);
  }

  /**
   * Checks, without writing, that leases can be kept here: the folders are there and writable, or can be made.
   *
   * @throws SyscallError naming the folder that is in the way
   */
  assertUsable(): void {
    assertWritableFolder(this.#folder.directory);
  }

  #locked<T>(timeoutMs: number, fn: () => T): T {
    return withFlock(`${this.#folder.directory}/lock`, timeoutMs, fn);
  }

  // Leases outlive a reboot, what they were for does not. Once in a boot an ADD gives up those that were made
  // before it and whose owner is nowhere to be seen. Both conditions are needed: a clock that was set in between makes
  // leases of this boot look older than it, and the reference plugin's owners are nowhere that we could see.
  #reclaim(isLive: (owner: LeaseOwner) => boolean): void {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id').trim();
    if (this.#index.boot() === boot) return;
    const bootedAt = Date.now() - Number.parseFloat(readFileSync('/proc/uptime')) * 1000;
    const leases = this.#folder.all();
    for (const [name, owner] of leases) {
      if (this.#folder.changedAt(name) >= bootedAt || (owner !== undefined && isLive(owner))) continue;
      this.#folder.remove(name);
      leases.delete(name);
    }
    this.#index.rebuild(keyed(leases));
    this.#index.setBoot(boot);
    this.#index.seal();
  }

  // Leaves the index complete, or unable to be sealed: so it has to come first in whatever changes leases.
  #lookUp(owner: LeaseOwner): Found {
    if (!this.#index.isCurrent()) {
      const leases = this.#folder.all();
      this.#index.rebuild(keyed(leases));
      return select(leases, owner);
    }
    return this.#indexed(owner);
  }

  // Changes nothing, so that it needs no lock.
  #indexed(owner: LeaseOwner): Found {
    for (const key of keysOf(owner)) {
      const hints = this.#index.get(key);
      if (hints === undefined) return select(this.#folder.all(), owner);
      const names = hints.filter((name) => keyAt(this.#folder, name) === key);
      if (names.length > 0) return { key, names };
      // An entry that leads nowhere should not be: trust the leases.
      if (hints.length > 0) return select(this.#folder.all(), owner);
    }
    return { key: formatLease(owner), names: [] };
  }

  #exactly({ range, ip }: Candidate, inUse: (ip: IpAddress) => boolean): Pick {
    const name = formatIp(ip);
    const slot = this.#folder.slot(name);
    if (slot === 'leased') {
      const holder = this.#folder.owner(name);
      const who =
        holder === undefined ? 'something else' : `container ${holder.containerId} ${holder.ifname}`;
      throw new ConfigError('ips', `${name} is not available: it is leased to ${who.trim()}`);
    }
    if (inUse(ip)) throw new ConfigError('ips', `${name} is not available: it is in use without a lease`);
    return { range, ip, name, slot };
  }

  #next(set: RangeSet, index: number, inUse: (ip: IpAddress) => boolean): Pick {
    const pick = this.#firstFree(set, index, inUse);
    if (pick === undefined) throw new RangeExhaustedError(set.map(describeRange));
    return pick;
  }

  #firstFree(set: RangeSet, index: number, inUse: (ip: IpAddress) => boolean): Pick | undefined {
    const taken: { candidate: Candidate; name: string }[] = [];
    let lookups = 0;
    let vetoes = 0;
    let listed: Set<string> | undefined;
    for (const candidate of candidates(set, this.#folder.lastReserved(index))) {
      const name = formatIp(candidate.ip);
      const slot = listed === undefined ? this.#folder.slot(name) : listed.has(name) ? 'leased' : 'absent';
      if (slot === 'leased') {
        if (listed !== undefined) taken.push({ candidate, name });
        else if (++lookups >= LOOKUPS_BEFORE_LISTING) listed = new Set(this.#folder.names());
      } else if (!inUse(candidate.ip)) {
        return { ...candidate, name, slot };
      } else if (++vetoes > MOST_VETOES) {
        break;
      }
    }
    // A name in the list may be that of a file without an owner: worth a look before all is lost.
    for (const { candidate, name } of taken) {
      const slot = this.#folder.slot(name);
      if (slot !== 'leased' && !inUse(candidate.ip)) return { ...candidate, name, slot };
    }
    return undefined;
  }

  #lease(owner: LeaseOwner, picks: readonly Pick[]): void {
    const key = formatLease(owner);
    const names = picks.map(({ name }) => name);
    const made: string[] = [];
    this.#index.add(key, names);
    try {
      for (const [index, { name, slot }] of picks.entries()) {
        this.#folder.create(name, owner, slot);
        made.push(name);
        this.#folder.setLastReserved(index, name);
      }
    } catch (error) {
      try {
        for (const name of made) this.#folder.remove(name);
        this.#index.remove(key, names);
        this.#index.seal();
      } catch {
        // The first failure is the one to report. The index stays unsealed, so that a lease that could not be
        // taken back is found by DEL and GC.
      }
      throw error;
    }
    this.#index.seal();
  }
}

/** Leases of one owner, and the key that they are indexed under. */
interface Found {
  readonly key: string;
  readonly names: readonly string[];
}

// What the owner's leases hold: in today's format, or else in the old one.
function keysOf(owner: LeaseOwner): readonly string[] {
  return [formatLease(owner), formatLease({ containerId: owner.containerId, ifname: '' })];
}

function keyAt(folder: LeaseFolder, name: string): string | undefined {
  const owner = folder.owner(name);
  return owner === undefined ? undefined : formatLease(owner);
}

function select(leases: ReadonlyMap<string, LeaseOwner | undefined>, owner: LeaseOwner): Found {
  const all = keyed(leases);
  for (const key of keysOf(owner)) {
    const names = all.filter(([other]) => other === key).map(([, name]) => name);
    if (names.length > 0) return { key, names };
  }
  return { key: formatLease(owner), names: [] };
}

function keyed(leases: ReadonlyMap<string, LeaseOwner | undefined>): [key: string, name: string][] {
  return [...leases].flatMap(([name, owner]) => (owner === undefined ? [] : [[formatLease(owner), name]]));
}

function addresses(names: readonly string[]): IpAddress[] {
  return names.flatMap((name) => parseIp(name) ?? []);
}
