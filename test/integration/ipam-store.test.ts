import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ConfigError, SyscallError } from '../../src/errors.ts';
import { formatIp, formatPrefix, type IpAddress, parseIp } from '../../src/ip/address.ts';
import { LeaseExistsError, RangeExhaustedError } from '../../src/ipam/errors.ts';
import { LeaseFolder } from '../../src/ipam/lease-folder.ts';
import { OwnerIndex } from '../../src/ipam/owner-index.ts';
import { type LeaseOwner, type LeaseStore, openStore } from '../../src/ipam/store.ts';
import { LockTimeoutError } from '../../src/sys/flock.ts';
import { rangeSets } from '../support/ranges.ts';

const WORKER = fileURLToPath(new URL('../support/ipam-worker.ts', import.meta.url));
const HOST_LOCAL = '/usr/lib/cni/host-local';
const HOST_LOCAL_MISSING = existsSync(HOST_LOCAL) ? '' : ' (skipped: no reference host-local here)';

let dataDir: string;
let folder: string;
let index: string;
let store: LeaseStore;
const children: ChildProcess[] = [];

beforeEach(() => {
  dataDir = mkdtempSync(`${tmpdir()}/plumb-ipam-`);
  folder = `${dataDir}/net`;
  index = `${dataDir}/.plumb-index.net`;
  store = openStore(dataDir, 'net');
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(dataDir, { recursive: true, force: true });
});

const who = (containerId: string, ifname = 'eth0'): LeaseOwner => ({ containerId, ifname });
const small = rangeSets([{ subnet: '10.99.0.0/29' }]);

function address(text: string): IpAddress {
  const ip = parseIp(text);
  if (ip === undefined) throw new Error(`${text} is no address`);
  return ip;
}

function add(id: string, ranges = small, ...requested: string[]): string[] {
  return store.allocate(who(id), ranges, requested.map(address)).map((given) => formatPrefix(given.address));
}

const files = (): string[] => (existsSync(folder) ? readdirSync(folder).sort() : []);
const leases = (): string[] => files().filter((name) => parseIp(name) !== undefined);
const content = (name: string): string => readFileSync(`${folder}/${name}`, 'latin1');

function write(name: string, text: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/${name}`, text);
}

function failure(fn: () => unknown): Error {
  try {
    fn();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('did not fail');
}

function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

const worker = (...args: string[]): ChildProcess => start(process.execPath, [WORKER, ...args]);

async function output(child: ChildProcess): Promise<string> {
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(child, 'close');
  expect(child.exitCode).toBe(0);
  return text;
}

describe('on disk it is host-local', () => {
  test('a lease holds ID CR LF IFNAME and no newline, mode 0600, and beside it are lock and last_reserved_ip', () => {
    expect(add('pod-a')).toEqual(['10.99.0.2/29']);
    expect(files()).toEqual(['10.99.0.2', 'last_reserved_ip.0', 'lock']);
    expect(content('10.99.0.2')).toBe('pod-a\r\neth0');
    expect(content('last_reserved_ip.0')).toBe('10.99.0.2');
    const { mode, nlink } = statSync(`${folder}/10.99.0.2`);
    expect({ mode: mode & 0o7777, nlink }).toEqual({ mode: 0o600, nlink: 1 });
  });

  test('one address for each range set, with prefix length and gateway', () => {
    const both = rangeSets([{ subnet: '10.99.0.0/29', gateway: '10.99.0.6' }], [{ subnet: 'fd00:99::/64' }]);
    const given = store.allocate(who('pod-a'), both, []);
    expect(given.map((one) => [formatPrefix(one.address), formatIp(one.gateway)])).toEqual([
      ['10.99.0.1/29', '10.99.0.6'],
      ['fd00:99::2/64', 'fd00:99::1'],
    ]);
    expect(content('last_reserved_ip.1')).toBe('fd00:99::2');
    expect(store.find(who('pod-a')).map(formatIp).sort()).toEqual(['10.99.0.1', 'fd00:99::2']);
  });

  test('B23: a requested address in a long spelling has its lease in the canonical one', () => {
    expect(add('pod-a', rangeSets([{ subnet: 'fd00:99::/64' }]), 'FD00:0099:0:0:0:0:0:000A')).toEqual([
      'fd00:99::a/64',
    ]);
    expect(leases()).toEqual(['fd00:99::a']);
  });

  test('B23: an address that is requested twice, as podman does, is given once', () => {
    expect(add('pod', small, '10.99.0.3', '10.99.0.3')).toEqual(['10.99.0.3/29']);
    expect(leases()).toEqual(['10.99.0.3']);
  });

  test('B23: what cannot be had is refused by name, and nothing is left', () => {
    add('holder', small, '10.99.0.4');
    expect(failure(() => add('pod', small, '10.99.0.1')).message).toContain('10.99.0.1 is the gateway');
    expect(failure(() => add('pod', small, '10.98.0.9')).message).toContain('10.98.0.9 is in none of');
    expect(failure(() => add('pod', small, '10.99.0.2', '10.99.0.3')).message).toContain('one range set');
    expect(failure(() => add('pod', small, '10.99.0.4')).message).toContain(
      'leased to container holder eth0',
    );
    expect(leases()).toEqual(['10.99.0.4']);
  });

  test('leases of the old format, with the id alone, belong to the owner who has no others', () => {
    write('10.99.0.3', 'old');
    write('10.99.0.4', 'both');
    write('10.99.0.5', 'both\r\nnet1');
    expect(store.find(who('old')).map(formatIp)).toEqual(['10.99.0.3']);
    expect(failure(() => add('old'))).toBeInstanceOf(LeaseExistsError);
    expect(store.release(who('both', 'net1')).map(formatIp)).toEqual(['10.99.0.5']);
    expect(store.release(who('both', 'eth0')).map(formatIp)).toEqual(['10.99.0.4']);
    expect(store.release(who('old')).map(formatIp)).toEqual(['10.99.0.3']);
    expect(leases()).toEqual([]);
  });

  test('release, find, collect and hasFree make nothing where nothing is', () => {
    expect(store.release(who('pod'))).toEqual([]);
    expect(store.find(who('pod'))).toEqual([]);
    expect(store.collect(() => true)).toEqual([]);
    expect([...store.owners()]).toEqual([]);
    expect(store.hasFree(small)).toBe(true);
    store.assertUsable();
    expect(readdirSync(dataDir)).toEqual([]);
  });
});

describe('which address', () => {
  test('B09: addresses go round, and one that was just freed is not the next', () => {
    const seen: string[] = [];
    for (let i = 0; i < 20; i++) {
      const [given = ''] = add('pod');
      seen.push(given);
      expect(content('last_reserved_ip.0')).toBe(given.replace('/29', ''));
      store.release(who('pod'));
    }
    const round = [2, 3, 4, 5, 6].map((n) => `10.99.0.${n}/29`);
    expect(seen).toEqual([...round, ...round, ...round, ...round]);
  });

  test('a set of two ranges is used up one after the other and then wraps', () => {
    const two = rangeSets([{ subnet: '10.99.0.0/30' }, { subnet: '10.98.0.0/29', rangeEnd: '10.98.0.3' }]);
    expect(['a', 'b', 'c'].map((id) => add(id, two)[0])).toEqual([
      '10.99.0.2/30',
      '10.98.0.2/29',
      '10.98.0.3/29',
    ]);
    store.release(who('a'));
    expect(add('d', two)).toEqual(['10.99.0.2/30']);
  });

  test('a full range is an error that says so, and no other set keeps an address', () => {
    const both = rangeSets([{ subnet: 'fd00:99::/64' }], [{ subnet: '10.99.0.0/30' }]);
    add('a', both);
    const error = failure(() => add('b', both));
    expect(error).toBeInstanceOf(RangeExhaustedError);
    expect(error.message).toContain('no address available in 10.99.0.1-10.99.0.2');
    expect(leases()).toEqual(['10.99.0.2', 'fd00:99::2']);
    expect(store.hasFree(both)).toBe(false);
    store.release(who('a'));
    expect(store.hasFree(both)).toBe(true);
  });

  test('B10: a /30 gives its one address and no more', () => {
    const tiny = rangeSets([{ subnet: '10.99.0.0/30' }]);
    expect(add('a', tiny)).toEqual(['10.99.0.2/30']);
    expect(failure(() => add('b', tiny))).toBeInstanceOf(RangeExhaustedError);
  });

  test('B13: .255 and .0 of a big subnet are given', () => {
    const middle = rangeSets([{ subnet: '10.1.0.0/16', rangeStart: '10.1.2.255', rangeEnd: '10.1.3.0' }]);
    expect([add('a', middle), add('b', middle)]).toEqual([['10.1.2.255/16'], ['10.1.3.0/16']]);
  });

  test('B24: an address that is in use without a lease is passed over, or refused if it was asked for', () => {
    const inUse = (ip: IpAddress): boolean => formatIp(ip) === '10.99.0.2';
    const [given] = store.allocate(who('a'), small, [], { inUse });
    expect(given && formatPrefix(given.address)).toBe('10.99.0.3/29');
    const error = failure(() => store.allocate(who('b'), small, [address('10.99.0.2')], { inUse }));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain('10.99.0.2 is not available: it is in use without a lease');
    expect(failure(() => store.allocate(who('b'), small, [], { inUse: () => true }))).toBeInstanceOf(
      RangeExhaustedError,
    );
  });

  test('a run of several hundred taken addresses is passed in one go', () => {
    const big = rangeSets([{ subnet: '10.1.0.0/16' }]);
    for (let i = 2; i < 1000; i++) write(`10.1.${i >> 8}.${i & 255}`, `other-${i}\r\neth0`);
    expect(add('pod', big)).toEqual(['10.1.3.232/16']);
  });
});

describe('leases that ought not to be there', () => {
  test('B02: GC frees the leases of the unknown, and keeps lock and last_reserved_ip', () => {
    for (const n of [2, 3, 4, 5, 6]) write(`10.99.0.${n}`, `gone-${n}\r\neth0`);
    write('lock', '');
    write('last_reserved_ip.0', '10.99.0.6');
    expect(failure(() => add('pod'))).toBeInstanceOf(RangeExhaustedError);
    expect(
      store
        .collect(() => false)
        .map(formatIp)
        .sort(),
    ).toEqual([2, 3, 4, 5, 6].map((n) => `10.99.0.${n}`));
    expect(files()).toEqual(['last_reserved_ip.0', 'lock']);
    expect(add('pod')).toEqual(['10.99.0.2/29']);
  });

  test('B02: GC keeps valid owners, and asks for an old lease without an interface name', () => {
    add('live');
    write('10.99.0.3', 'old-live');
    write('10.99.0.4', 'dead\r\neth0');
    write('10.99.0.5', '');
    const asked: LeaseOwner[] = [];
    const removed = store.collect((owner) => {
      asked.push(owner);
      return owner.containerId.endsWith('live');
    });
    expect(removed.map(formatIp).sort()).toEqual(['10.99.0.4', '10.99.0.5']);
    expect(asked).toContainEqual(who('old-live', ''));
    expect(asked).toContainEqual(who('live', 'eth0'));
    expect(store.collect((owner) => owner.containerId.endsWith('live'))).toEqual([]);
    expect([...store.owners().keys()].sort()).toEqual(['10.99.0.2', '10.99.0.3']);
  });

  test('B03: an empty lease is nobody’s: ADD takes the address', () => {
    for (const n of [2, 3, 4, 5, 6]) write(`10.99.0.${n}`, '');
    expect(store.hasFree(small)).toBe(true);
    expect(add('a')).toEqual(['10.99.0.2/29']);
    expect(add('b', small, '10.99.0.4')).toEqual(['10.99.0.4/29']);
    expect(content('10.99.0.2')).toBe('a\r\neth0');
    expect(content('10.99.0.4')).toBe('b\r\neth0');
    expect(store.owners().get('10.99.0.3')).toBeUndefined();
  });

  test('B03: an empty lease far behind hundreds of real ones is found before the range counts as full', () => {
    const range = rangeSets([{ subnet: '10.1.0.0/24' }]);
    for (let n = 2; n < 255; n++) write(`10.1.0.${n}`, n === 200 ? '' : `other-${n}\r\neth0`);
    expect(add('pod', range)).toEqual(['10.1.0.200/24']);
  });

  test('B03: after a reboot leases that a power loss left full of NUL bytes are nobody’s', () => {
    for (const n of [2, 3, 4, 5, 6]) write(`10.99.0.${n}`, '\0'.repeat(70));
    const changed = vi.spyOn(LeaseFolder.prototype, 'changedAt').mockReturnValue(0);
    try {
      const given = store.allocate(who('a'), small, [], { isLive: () => true });
      expect(given.map((it) => formatPrefix(it.address))).toEqual(['10.99.0.2/29']);
    } finally {
      changed.mockRestore();
    }
    expect(leases()).toEqual(['10.99.0.2']);
  });

  test('a folder with the name of an address is passed over, also by GC', () => {
    mkdirSync(`${folder}/10.99.0.2`, { recursive: true });
    expect(add('a')).toEqual(['10.99.0.3/29']);
    store.collect(() => false);
    expect(leases()).toEqual(['10.99.0.2']);
  });

  test('a network whose name leaves no room for that of an index', () => {
    const long = openStore(dataDir, 'n'.repeat(255));
    for (const id of ['a', 'b']) long.allocate(who(id), small, []);
    expect(long.find(who('b')).map(formatIp)).toEqual(['10.99.0.3']);
    expect(long.release(who('a')).map(formatIp)).toEqual(['10.99.0.2']);
    expect(long.collect(() => false).map(formatIp)).toEqual(['10.99.0.3']);
  });

  test('B03: killed at any moment it leaves whole leases only, and each is found and freed', async () => {
    for (let round = 0; round < 60; round++) {
      const child = worker('churn', dataDir, '10.99.0.0/28', `k${round}`);
      await once(child.stdout ?? child, 'data');
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 12));
      child.kill('SIGKILL');
      await once(child, 'exit');
      for (const name of files().filter((file) => file !== 'lock')) {
        const text = content(name);
        if (name.startsWith('last_reserved_ip.')) expect(parseIp(text)).toBeDefined();
        else expect(text).toMatch(/^k\d+-\d\r\neth0$/);
      }
      const fresh = openStore(dataDir, 'net');
      for (const [name, owner] of fresh.owners()) {
        if (owner === undefined) throw new Error(`${name} has no owner`);
        expect(fresh.find(owner).map(formatIp)).toContain(name);
      }
      for (const id of [0, 1, 2]) fresh.release(who(`k${round}-${id}`));
      expect(leases()).toEqual([]);
    }
    add('after');
    expect(readdirSync(index)).toHaveLength(1);
  }, 240_000);

  test('B04: an address that another container has is refused by that container’s id; after its DEL it is free', () => {
    add('owner-id', small, '10.99.0.4');
    expect(failure(() => add('asker', small, '10.99.0.4')).message).toContain('owner-id');
    store.release(who('owner-id'));
    expect(add('asker', small, '10.99.0.4')).toEqual(['10.99.0.4/29']);
  });

  test('B04: an address that the asker itself has is an error that names it; after DEL it is free', () => {
    write('10.99.0.4', 'pod\r\neth0');
    const error = failure(() => add('pod', small, '10.99.0.4'));
    expect(error).toBeInstanceOf(LeaseExistsError);
    expect(error.message).toMatch(/pod.*10\.99\.0\.4/);
    store.release(who('pod'));
    expect(add('pod', small, '10.99.0.4')).toEqual(['10.99.0.4/29']);
  });

  test('B06: a second ADD of the same container and interface changes nothing; another interface is welcome', () => {
    add('pod');
    const error = failure(() => add('pod'));
    expect(error).toBeInstanceOf(LeaseExistsError);
    expect(error.message).toContain('10.99.0.2');
    expect(leases()).toEqual(['10.99.0.2']);
    store.allocate(who('pod', 'net1'), small, []);
    expect(leases()).toEqual(['10.99.0.2', '10.99.0.3']);
    expect(store.release(who('pod')).map(formatIp)).toEqual(['10.99.0.2']);
    expect(store.release(who('pod'))).toEqual([]);
  });
});

describe('the index', () => {
  test('does not hide what others did, however soon after us', () => {
    const wide = rangeSets([{ subnet: '10.99.0.0/24' }]);
    for (let i = 0; i < 50; i++) {
      add('ours', wide);
      write('10.99.0.200', 'theirs\r\neth0');
      expect(store.find(who('theirs')).map(formatIp)).toEqual(['10.99.0.200']);
      expect(store.release(who('theirs')).map(formatIp)).toEqual(['10.99.0.200']);
      unlinkSync(`${folder}/${formatIp(store.find(who('ours'))[0] ?? address('::'))}`);
      expect(store.find(who('ours'))).toEqual([]);
    }
  });

  test('does not matter when it lies, is lost, or cannot be', () => {
    add('a');
    add('b');
    const [entry = ''] = readdirSync(index);
    unlinkSync(`${index}/${entry}`);
    symlinkSync('10.99.0.5,nonsense', `${index}/${entry}`);
    expect(store.find(who('a')).map(formatIp)).toEqual(['10.99.0.2']);
    expect(store.find(who('b')).map(formatIp)).toEqual(['10.99.0.3']);
    rmSync(index, { recursive: true });
    expect(store.find(who('b')).map(formatIp)).toEqual(['10.99.0.3']);
    rmSync(index, { recursive: true });
    writeFileSync(index, 'in the way');
    expect(add('c')).toEqual(['10.99.0.4/29']);
    expect(content('10.99.0.4')).toBe('c\r\neth0');
    expect(store.release(who('b')).map(formatIp)).toEqual(['10.99.0.3']);
    expect(failure(() => add('a'))).toBeInstanceOf(LeaseExistsError);
    expect(store.collect(() => false)).toHaveLength(2);
    expect(files()).toEqual(['last_reserved_ip.0', 'lock']);
  });

  test('is not made anew without the lock when somebody changes it while it is read', () => {
    add('a');
    // An ADD that is halfway: its entry is there, its lease is not yet.
    const halfway = 'ffffffffffffffff';
    const current = vi.spyOn(OwnerIndex.prototype, 'isCurrent').mockReturnValueOnce(true);
    symlinkSync('10.99.0.3', `${index}/${halfway}`);
    try {
      expect(store.find(who('a')).map(formatIp)).toEqual(['10.99.0.2']);
    } finally {
      current.mockRestore();
    }
    expect(readdirSync(index)).toContain(halfway);
  });

  test('has no entry without a lease', () => {
    add('a');
    add('b');
    expect(readdirSync(index)).toHaveLength(2);
    store.release(who('a'));
    expect(readdirSync(index)).toHaveLength(1);
    store.collect(() => false);
    expect(readdirSync(index)).toEqual([]);
  });

  test('ADD, CHECK and DEL open as few files with 20,000 leases as with none', async () => {
    const trace = `${dataDir}/trace`;
    const files = async (name: string): Promise<Record<string, number>> => {
      const calls = 'trace=open,openat,readlink,readlinkat,statx,lstat,stat';
      const script = [process.execPath, WORKER, 'once', dataDir, '10.0.0.0/8', name];
      await output(start('strace', ['-f', '-qq', '-s', '300', '-e', calls, '-o', trace, ...script]));
      const counts: Record<string, number> = {};
      for (const line of readFileSync(trace, 'utf8').split('\n')) {
        const [, call = ''] = /^\d+ +(\w+)\(/.exec(line) ?? [];
        if (!line.includes(dataDir) || line.includes('ipam-worker')) continue;
        const kind = line.includes('O_DIRECTORY') ? 'list' : call;
        counts[kind] = (counts[kind] ?? 0) + 1;
      }
      rmSync(trace);
      return counts;
    };
    add('first', rangeSets([{ subnet: '10.0.0.0/8' }]));
    const few = await files('pod');
    for (let i = 0; i < 20_000; i++) write(`10.1.${i >> 8}.${i & 255}`, `other-${i}\r\neth0`);
    // The first one afterwards makes the index anew.
    expect(store.find(who('other-777')).map(formatIp)).toEqual(['10.1.3.9']);
    const many = await files('pod');
    expect(many).toEqual(few);
    expect(many).not.toHaveProperty('list');
    // The lock twice, a lease and last_reserved_ip read and written.
    expect(many['open'] ?? many['openat']).toBeLessThanOrEqual(8);
  }, 240_000);
});

describe('the lock', () => {
  test('B14: a stuck holder means an error in time that names it, and no lease', async () => {
    add('first');
    const holder = start('flock', ['-o', `${folder}/lock`, 'sh', '-c', 'echo held; read -r line']);
    await once(holder.stdout ?? holder, 'data');
    const impatient = openStore(dataDir, 'net', { lockTimeoutMs: 150 });
    const before = performance.now();
    const error = failure(() => impatient.allocate(who('pod'), small, []));
    const waited = performance.now() - before;
    expect(error).toBeInstanceOf(LockTimeoutError);
    expect(error.message).toBe(`lock ${folder}/lock: still held by process ${holder.pid} after 150 ms`);
    expect(waited).toBeGreaterThanOrEqual(149);
    expect(waited).toBeLessThan(2000);
    expect(leases()).toEqual(['10.99.0.2']);
    expect(failure(() => impatient.release(who('first')))).toBeInstanceOf(LockTimeoutError);
    expect(impatient.hasFree(small)).toBe(true);
    write('10.99.0.5', 'theirs\r\neth0');
    expect(impatient.find(who('theirs')).map(formatIp)).toEqual(['10.99.0.5']);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const [given] = impatient.allocate(who('pod'), small, []);
    expect(given && formatPrefix(given.address)).toBe('10.99.0.3/29');
  });

  test('8 processes at once get 25 different addresses each', async () => {
    const results = await Promise.all(
      Array.from({ length: 8 }, async (_, i) =>
        output(worker('fill', dataDir, '10.1.0.0/24', `w${i}`, '25')),
      ),
    );
    const given = results.flatMap((text): string[] => JSON.parse(text));
    expect(new Set(given).size).toBe(200);
    expect(leases().sort()).toEqual(given.sort());
    for (let i = 0; i < 8; i++) expect(store.find(who(`w${i}-24`))).toHaveLength(1);
  });
});

describe('a folder that cannot be used', () => {
  test('B22: assertUsable names what is in the way', () => {
    writeFileSync(`${dataDir}/file`, '');
    const error = failure(() => openStore(`${dataDir}/file/networks`, 'net').assertUsable());
    expect(error).toBeInstanceOf(SyscallError);
    expect(error.message).toContain(`${dataDir}/file`);
    openStore(`${dataDir}/not/yet/there`, 'net').assertUsable();
    expect(readdirSync(dataDir)).toEqual(['file']);
    writeFileSync(folder, '');
    expect(failure(() => store.assertUsable()).message).toBe(`opendir ${folder}: ENOTDIR`);
  });

  test('ADD reports system call, path and errno', () => {
    writeFileSync(folder, '');
    const error = failure(() => add('pod'));
    expect(error).toBeInstanceOf(SyscallError);
    expect(error.message).toBe(`open ${folder}/lock: ENOTDIR`);
  });

  test('a failure in the middle takes back what was leased', () => {
    mkdirSync(`${folder}/last_reserved_ip.1`, { recursive: true });
    const both = rangeSets([{ subnet: '10.99.0.0/29' }], [{ subnet: 'fd00:99::/64' }]);
    expect(failure(() => add('pod', both)).message).toContain('rename');
    expect(leases()).toEqual([]);
    expect(readdirSync(index)).toEqual([]);
    expect(files()).not.toContain('.plumb-new');
  });
});

describe.skipIf(HOST_LOCAL_MISSING !== '')(`with the reference host-local${HOST_LOCAL_MISSING}`, () => {
  const conf = JSON.stringify({
    cniVersion: '1.0.0',
    name: 'net',
    type: 'x',
    ipam: { type: 'host-local', ranges: [[{ subnet: '10.1.0.0/24' }]] },
  });
  const input = (): string => conf.replace('"host-local"', `"host-local","dataDir":"${dataDir}"`);
  const env = (command: string, id: string): Record<string, string> => ({
    CNI_COMMAND: command,
    CNI_CONTAINERID: id,
    CNI_IFNAME: 'eth0',
    CNI_NETNS: '/proc/self/ns/net',
    CNI_PATH: '/usr/lib/cni',
  });
  const reference = (command: string, id: string): string =>
    execFileSync(HOST_LOCAL, { env: env(command, id), input: input(), encoding: 'utf8' });
  const given = (text: string): string =>
    (JSON.parse(text) as { ips: { address: string }[] }).ips[0]?.address.replace('/24', '') ?? '';
  const range = rangeSets([{ subnet: '10.1.0.0/24' }]);

  test('each goes on behind the other, frees the other’s leases and writes the same bytes', () => {
    expect(given(reference('ADD', 'ref'))).toBe('10.1.0.2');
    const theirs = content('10.1.0.2');
    expect(add('ours', range)).toEqual(['10.1.0.3/24']);
    expect(content('10.1.0.3').replace('ours', 'ref')).toBe(theirs);
    expect(given(reference('ADD', 'ref2'))).toBe('10.1.0.4');
    expect(failure(() => add('ref', range))).toBeInstanceOf(LeaseExistsError);
    reference('CHECK', 'ours');
    expect(failure(() => reference('ADD', 'ours'))).toBeDefined();
    expect(store.release(who('ref')).map(formatIp)).toEqual(['10.1.0.2']);
    reference('DEL', 'ours');
    expect(store.find(who('ours'))).toEqual([]);
    expect(leases()).toEqual(['10.1.0.4']);
  });

  test('both at once on one folder never give an address twice', async () => {
    const ours = Array.from({ length: 4 }, async (_, i) =>
      output(worker('fill', dataDir, '10.1.0.0/24', `ours${i}`, '20')),
    );
    const theirs = Array.from({ length: 60 }, async (_, i) => {
      const child = spawn(HOST_LOCAL, { env: env('ADD', `ref${i}`), stdio: ['pipe', 'pipe', 'inherit'] });
      children.push(child);
      child.stdin.end(input());
      return given(await output(child));
    });
    const all = [
      ...(await Promise.all(ours)).flatMap((text): string[] => JSON.parse(text)),
      ...(await Promise.all(theirs)),
    ];
    expect(new Set(all).size).toBe(140);
    expect(leases().sort()).toEqual(all.sort());
    for (let i = 0; i < 60; i++) expect(store.release(who(`ref${i}`))).toHaveLength(1);
    expect(leases()).toHaveLength(80);
    expect(lstatSync(`${folder}/lock`).isFile()).toBe(true);
  });
});
