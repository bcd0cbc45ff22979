import { mkdirSync, readdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { ConfigError, isErrno, SyscallError } from '../errors.ts';
import { formatIp, type IpAddress, type IpPrefix, parseIp, sameIp } from '../ip/address.ts';
import { withFlock } from '../sys/flock.ts';
import { LeaseExistsError, RangeExhaustedError } from './errors.ts';
import { describeRange, type IpamRange, type RangeSet } from './ranges.ts';

/** Whom a lease belongs to. */
export interface LeaseOwner {
  readonly containerId: string;
  readonly ifname: string;
}

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

const DEFAULT_LOCK_TIMEOUT_MS = 20_000;

/** Opens the leases of a network; nothing is read or made before they are used. */
export function openStore(dataDir: string, network: string, options: StoreOptions = {}): LeaseStore {
  return new LeaseStore(`${dataDir}/${network}`, options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS);
}

/**
 * The leases of one network in the reference host-local plugin's own format, so that both may work on one folder:
 * a file for each address, named by it, holding `ID CR LF IFNAME`; `last_reserved_ip.N` for each range set; `lock`.
 *
 * Files are written under a temporary name and renamed under the lock: a process that is killed leaves a whole lease or none.
 * Nothing is synced to the disk, because after a power loss no container is left that a lease could belong to,
 * and a lease that is empty then counts as free.
 */
export class LeaseStore {
  readonly #directory: string;
  readonly #lockTimeoutMs: number;

  constructor(directory: string, lockTimeoutMs: number) {
    this.#directory = directory;
    this.#lockTimeoutMs = lockTimeoutMs;
  }

  /**
   * Gives the owner one address of each range set, the requested ones first, all or none; others round-robin
   * behind the last one given. `inUse` vetoes an address that is leased to nobody and yet is in use.
   * Throws {@link LeaseExistsError}, {@link RangeExhaustedError}, {@link ConfigError} for a requested address that
   * cannot be given, {@link LockTimeoutError}, {@link SyscallError}.
   */
  allocate(
    owner: LeaseOwner,
    sets: readonly RangeSet[],
    requested: readonly IpAddress[],
    options: { readonly inUse?: (ip: IpAddress) => boolean } = {},
  ): Allocation[] {
    this.#io('mkdir', () => mkdirSync(this.#directory, { recursive: true, mode: 0o755 }));
    return this.#locked(() => {
      const leases = this.#read();
      const existing = [...leases].filter(([, text]) => owns(owner, text)).map(([ip]) => ip);
      if (existing.length > 0) throw new LeaseExistsError(owner.containerId, owner.ifname, existing);
      const wanted = matchRequests(sets, requested);
      const given: Allocation[] = [];
      try {
        for (const [index, set] of sets.entries()) {
          const request = wanted.get(index);
          const allocation =
            request === undefined
              ? this.#next(set, index, leases, owner, options.inUse ?? (() => false))
              : this.#exact(request, leases, owner);
          given.push(allocation);
        }
      } catch (error) {
        for (const { address } of given) this.#remove(formatIp(address.address));
        throw error;
      }
      return given;
    });
  }

  /** Removes every lease of the owner and returns their addresses; none is success. */
  release(owner: LeaseOwner): IpAddress[] {
    return this.#removeWhere((text) => owns(owner, text));
  }

  /** The owner's addresses. Takes no lock. */
  find(owner: LeaseOwner): IpAddress[] {
    return [...this.#read()].filter(([, text]) => owns(owner, text)).flatMap(([ip]) => parseIp(ip) ?? []);
  }

  /** Removes the leases whose owner `valid` does not know, and those without an owner; returns their addresses. */
  collect(valid: (owner: LeaseOwner) => boolean): IpAddress[] {
    return this.#removeWhere((text) => {
      const [containerId = '', ifname = ''] = text.trim().split('\r\n');
      return containerId === '' || !valid({ containerId, ifname });
    });
  }

  #removeWhere(gone: (text: string) => boolean): IpAddress[] {
    // Nothing is made where nothing was: a DEL for a network that was never used leaves no folder.
    if (this.#read().size === 0) return [];
    return this.#locked(() => {
      const removed = [...this.#read()].filter(([, text]) => gone(text)).map(([ip]) => ip);
      for (const ip of removed) this.#remove(ip);
      return removed.flatMap((ip) => parseIp(ip) ?? []);
    });
  }

  #locked<T>(fn: () => T): T {
    return this.#io('lock', () => withFlock(`${this.#directory}/lock`, this.#lockTimeoutMs, fn));
  }

  #read(): Map<string, string> {
    const leases = new Map<string, string>();
    for (const name of this.#names()) {
      if (parseIp(name) === undefined) continue;
      try {
        leases.set(name, readFileSync(`${this.#directory}/${name}`, 'utf8'));
      } catch (error) {
        if (!isErrno(error, 'ENOENT')) throw error;
      }
    }
    return leases;
  }

  #names(): string[] {
    try {
      return readdirSync(this.#directory);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return [];
      return this.#io('readdir', () => {
        throw error;
      });
    }
  }

  #exact(
    request: { range: IpamRange; ip: IpAddress },
    leases: ReadonlyMap<string, string>,
    owner: LeaseOwner,
  ): Allocation {
    const name = formatIp(request.ip);
    const holder = leases.get(name)?.trim().split('\r\n').join(' ');
    if (holder !== undefined && holder !== '') throw new ConfigError('ips', `${name} is leased to ${holder}`);
    this.#write(name, owner);
    return allocation(request.range, request.ip);
  }

  #next(
    set: RangeSet,
    index: number,
    leases: ReadonlyMap<string, string>,
    owner: LeaseOwner,
    inUse: (ip: IpAddress) => boolean,
  ): Allocation {
    for (const { range, ip } of candidates(set, this.#last(index))) {
      const name = formatIp(ip);
      const text = leases.get(name);
      if ((text !== undefined && text.trim() !== '') || inUse(ip)) continue;
      this.#write(name, owner);
      this.#replace(`last_reserved_ip.${index}`, name);
      return allocation(range, ip);
    }
    throw new RangeExhaustedError(set.map(describeRange));
  }

  #last(index: number): IpAddress | undefined {
    try {
      return parseIp(readFileSync(`${this.#directory}/last_reserved_ip.${index}`, 'utf8').trim());
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  #write(name: string, owner: LeaseOwner): void {
    this.#replace(name, `${owner.containerId}\r\n${owner.ifname}`);
  }

  // Under the lock a rename is enough: nobody else makes a file of that name meanwhile.
  #replace(name: string, text: string): void {
    const temporary = `${this.#directory}/.plumb-new`;
    this.#io('write', () => {
      writeFileSync(temporary, text, { mode: 0o600 });
      renameSync(temporary, `${this.#directory}/${name}`);
    });
  }

  #remove(name: string): void {
    try {
      unlinkSync(`${this.#directory}/${name}`);
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error;
    }
  }

  #io<T>(syscall: string, fn: () => T): T {
    try {
      return fn();
    } catch (error) {
      if (
        error instanceof Error &&
        !('kind' in error) &&
        'errno' in error &&
        typeof error.errno === 'number'
      ) {
        throw new SyscallError(syscall, this.#directory, Math.abs(error.errno), { cause: error });
      }
      throw error;
    }
  }
}

// Leases of host-local before 0.7 hold the container id alone.
function owns(owner: LeaseOwner, text: string): boolean {
  const lease = text.trim();
  return lease === `${owner.containerId}\r\n${owner.ifname}` || lease === owner.containerId;
}

function allocation(range: IpamRange, address: IpAddress): Allocation {
  return { address: { address, prefixLength: range.subnet.prefixLength }, gateway: range.gateway };
}

function matchRequests(
  sets: readonly RangeSet[],
  requested: readonly IpAddress[],
): Map<number, { range: IpamRange; ip: IpAddress }> {
  const wanted = new Map<number, { range: IpamRange; ip: IpAddress }>();
  for (const ip of requested) {
    const index = sets.findIndex((set, i) => !wanted.has(i) && set.some((range) => inRange(range, ip)));
    const range = sets[index]?.find((candidate) => inRange(candidate, ip));
    if (range === undefined) {
      throw new ConfigError(
        'ips',
        `${formatIp(ip)} is in none of ${sets.flat().map(describeRange).join(', ')}`,
      );
    }
    if (sets[index]?.some((candidate) => sameIp(candidate.gateway, ip))) {
      throw new ConfigError('ips', `${formatIp(ip)} is the gateway`);
    }
    wanted.set(index, { range, ip });
  }
  return wanted;
}

function inRange(range: IpamRange, ip: IpAddress): boolean {
  return (
    ip.family === range.rangeStart.family &&
    ip.value >= range.rangeStart.value &&
    ip.value <= range.rangeEnd.value
  );
}

function* candidates(
  set: RangeSet,
  last: IpAddress | undefined,
): Generator<{ range: IpamRange; ip: IpAddress }> {
  const at = last === undefined ? -1 : set.findIndex((range) => inRange(range, last));
  const order = at < 0 ? [...set] : [...set.slice(at), ...set.slice(0, at)];
  const first = at < 0 || last === undefined ? undefined : last.value + 1n;
  const parts = order.map((range, i) => ({
    range,
    from: i === 0 ? (first ?? range.rangeStart.value) : range.rangeStart.value,
    to: range.rangeEnd.value,
  }));
  const [head] = order;
  if (first !== undefined && head !== undefined)
    parts.push({ range: head, from: head.rangeStart.value, to: first - 1n });
  for (const { range, from, to } of parts) {
    for (let value = from; value <= to; value++) {
      const ip: IpAddress = { family: range.rangeStart.family, value };
      if (!set.some((other) => sameIp(other.gateway, ip))) yield { range, ip };
    }
  }
}
