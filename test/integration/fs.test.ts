import fs from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SyscallError } from '../../src/errors.ts';
import * as own from '../../src/sys/fs.ts';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync('/tmp/fs-');
});
afterEach(() => fs.rmSync(folder, { recursive: true }));

function failure(fn: () => unknown): SyscallError {
  try {
    fn();
  } catch (error) {
    if (error instanceof SyscallError) return error;
    throw error;
  }
  return expect.fail('nothing was thrown');
}

test('statx says what node:fs says', () => {
  const file = `${folder}/file é`;
  fs.writeFileSync(file, 'twelve bytes');
  fs.linkSync(file, `${folder}/second`);
  fs.symlinkSync('file é', `${folder}/link`);
  fs.utimesSync(file, 1_600_000_000, 1_700_000_000.25);
  const wanted = fs.statSync(file, { bigint: true });
  const pick = { isFile: true, isDirectory: false, size: 12, nlink: 2, ino: wanted.ino };
  expect(own.statSync(file)).toMatchObject({ ...pick, mtimeNs: wanted.mtimeNs, ctimeNs: wanted.ctimeNs });
  expect(own.statSync(`${folder}/link`)).toEqual(own.lstatSync(file));
  expect(own.lstatSync(`${folder}/link`)).toMatchObject({ isFile: false, isDirectory: false, size: 7 });
  expect(own.lstatSync(folder)).toMatchObject({ isFile: false, isDirectory: true });
  const fd = own.openReadOnly(file);
  expect(own.fstatSync(fd)).toEqual(own.statSync(file));
  own.closeQuietly(fd);
  expect(own.statSync(`${folder}/none`)).toBeUndefined();
  expect(own.statSync(`${file}/none`)).toBeUndefined();
});

test('files are made, written, read, renamed, linked and removed', () => {
  const path = `${folder}/a`;
  own.writeNewSync(path, 'ünï');
  expect(fs.readFileSync(path, 'utf8')).toBe('ünï');
  expect(fs.statSync(path).mode & 0o7777).toBe(0o600);
  expect(failure(() => own.writeNewSync(path, 'again'))).toMatchObject({ code: 'EEXIST', object: path });
  own.overwriteSync(path, 'short');
  expect(own.readFileSync(path)).toBe('short');
  expect(failure(() => own.overwriteSync(`${folder}/none`, ''))).toMatchObject({ code: 'ENOENT' });
  own.linkSync(path, `${folder}/b`);
  expect(failure(() => own.linkSync(path, `${folder}/b`)).code).toBe('EEXIST');
  own.renameSync(path, `${folder}/c`);
  expect(own.readdirSync(folder).sort()).toEqual(['b', 'c']);
  own.removeFile(`${folder}/c`);
  own.removeFile(`${folder}/c`);
  own.removeFile(`${folder}/b/c`);
  expect(failure(() => own.removeFile(folder)).code).toMatch(/EISDIR|EPERM/);
  own.symlinkSync('10.0.0.1,fd00::1', `${folder}/l`);
  expect(own.readlinkSync(`${folder}/l`)).toBe('10.0.0.1,fd00::1');
  expect(own.readlinkSync(`${folder}/none`)).toBeUndefined();
  expect(failure(() => own.readlinkSync(`${folder}/b`)).code).toBe('EINVAL');
  own.utimesSync(folder, 1_700_000_000);
  expect(fs.statSync(folder, { bigint: true }).mtimeNs).toBe(1_700_000_000_000_000_000n);
});

test('long and absent files; a path with a NUL is none', () => {
  const long = 'ä'.repeat(100_000);
  fs.writeFileSync(`${folder}/long`, long);
  expect(own.readFileSync(`${folder}/long`)).toBe(long);
  expect(own.readIfPresent(`${folder}/long`)).toBe(long);
  expect(own.readIfPresent(`${folder}/none`)).toBeUndefined();
  expect(failure(() => own.readFileSync(`${folder}/none`)).message).toBe(`open ${folder}/none: ENOENT`);
  expect(failure(() => own.readFileSync(folder)).code).toBe('EISDIR');
  expect(failure(() => own.readFileSync(`${folder}/long\0`)).code).toBe('EINVAL');
  expect(failure(() => own.readdirSync(`${folder}/none`)).message).toBe(`opendir ${folder}/none: ENOENT`);
});

test('folders are made with all that is above them, also by several at once; what is in the way is named', () => {
  own.mkdirSync(`${folder}/a/b/c`, 0o700);
  own.mkdirSync(`${folder}/a/b/c`, 0o700);
  expect(fs.statSync(`${folder}/a/b/c`).isDirectory()).toBe(true);
  fs.writeFileSync(`${folder}/file`, '');
  expect(failure(() => own.mkdirSync(`${folder}/file`, 0o700)).code).toBe('EEXIST');
  expect(failure(() => own.mkdirSync(`${folder}/file/x`, 0o700)).code).toBe('ENOTDIR');
  own.assertWritableFolder(`${folder}/not/yet/there`);
  expect(failure(() => own.assertWritableFolder(`${folder}/file/x`)).message).toBe(
    `opendir ${folder}/file: ENOTDIR`,
  );
});

test('descriptors are closed, whatever happens', () => {
  const count = (): number => fs.readdirSync('/proc/self/fd').length;
  fs.writeFileSync(`${folder}/a`, 'x');
  own.readFileSync(`${folder}/a`);
  const before = count();
  for (let i = 0; i < 20; i++) {
    own.readFileSync(`${folder}/a`);
    own.overwriteSync(`${folder}/a`, 'y');
    failure(() => own.readFileSync(folder));
    // A device without room: the write fails after the file has been opened.
    failure(() => own.overwriteSync('/dev/full', 'z'));
  }
  expect(count()).toBe(before);
});
