import { closeSync, constants, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { errorMessage } from '../errors.ts';
import type { Koffi } from './native.ts';

// O_TMPFILE of <asm-generic/fcntl.h>; Node's constants lack it.
const O_TMPFILE = 0o20200000;
const FOLDERS = ['/dev/shm', '/run', '/tmp', '/var/tmp', '/var/lib/cni', '/'];
const ASSET = 'koffi.node';

declare const Bun: unknown;

/**
 * Loads the koffi that travels inside the executable. It is written to a file without a name (O_TMPFILE) and loaded
 * through /proc/self/fd: there is no moment at which another process could put a file of its own in its place, and
 * nothing is left behind. Folders that allow no such file, or no execution, are passed over.
 *
 * Throws an `Error` that names what was tried.
 */
export function loadKoffi(): Koffi {
  const data = embedded();
  const failures: string[] = [];
  const own = dirname(process.execPath);
  for (const folder of [...FOLDERS, own]) {
    try {
      return loadFrom(folder, data);
    } catch (error) {
      failures.push(`${folder}: ${errorMessage(error)}`);
    }
  }
  const beside = `${own}/${ASSET}`;
  try {
    const { uid, mode } = statSync(beside);
    if (uid !== 0 || (mode & 0o022) !== 0) throw new Error('it is not root-owned, or others may write to it');
    return open(beside);
  } catch (error) {
    failures.push(`${beside}: ${errorMessage(error)}`);
  }
  throw new Error(
    `no folder to load ${ASSET} from (a writable one without noexec is needed, or the file ${beside}): ${failures.join('; ')}`,
  );
}

function embedded(): Uint8Array {
  if (typeof Bun !== 'undefined') return readFileSync(`/$bunfs/root/${ASSET}`);
  const require = createRequire(process.execPath);
  const sea: { getRawAsset(key: string): ArrayBuffer } = require('node:sea');
  return new Uint8Array(sea.getRawAsset(ASSET));
}

function loadFrom(folder: string, data: Uint8Array): Koffi {
  const fd = openSync(folder, O_TMPFILE | constants.O_RDWR, 0o500);
  try {
    for (let offset = 0; offset < data.length; ) offset += writeSync(fd, data, offset);
    return open(`/proc/self/fd/${fd}`);
  } finally {
    closeSync(fd);
  }
}

function open(path: string): Koffi {
  const module: { exports: unknown } = { exports: {} };
  process.dlopen(module, path);
  return module.exports as Koffi;
}
