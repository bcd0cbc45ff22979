import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { alignText } from '../../scripts/lib/align-text.ts';

const HUGE_PAGE = 2 ** 21;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'align-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Where the code lies in file and memory, as readelf(1) says. */
function code(path: string): { offset: number; address: number } {
  const text = execFileSync('readelf', ['-lW', path], { encoding: 'utf8' });
  const [, offset, address] = /LOAD +(0x\w+) (0x\w+) .* R E /.exec(text) ?? [];
  return { offset: Number(offset), address: Number(address) };
}

test('code comes to lie alike in file and memory, and the program does the same', () => {
  const source = join(folder, 'program.c');
  writeFileSync(source, '#include <stdio.h>\nint main(void) { return puts("all is well") < 0; }\n');
  const before = join(folder, 'before');
  // A section in the way, so that the linker's own layout is no multiple of anything.
  execFileSync('gcc', [
    '-no-pie',
    '-g',
    '-Wl,-z,noseparate-code',
    '-Wl,-Ttext-segment=0x345000',
    '-o',
    before,
    source,
  ]);
  const { offset, address } = code(before);
  expect((address - offset) % HUGE_PAGE).not.toBe(0);
  const after = join(folder, 'after');
  // With its code not at the very beginning, as the program headers do not move.
  const separate = join(folder, 'separate');
  execFileSync('gcc', [
    '-no-pie',
    '-g',
    '-Wl,-z,separate-code',
    '-Wl,-Ttext-segment=0x345000',
    '-o',
    separate,
    source,
  ]);
  writeFileSync(after, alignText(readFileSync(separate)), { mode: 0o755 });
  const aligned = code(after);
  expect((aligned.address - aligned.offset) % HUGE_PAGE).toBe(0);
  expect(aligned.address).toBe(code(separate).address);
  expect(execFileSync(after, { encoding: 'utf8' })).toBe('all is well\n');
  // The sections have moved along.
  expect(
    execFileSync('readelf', ['-SW', after], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
  ).toContain('.debug_info');
  const once = readFileSync(after);
  expect(alignText(once)).toBe(once);
  expect(() => alignText(readFileSync(before))).toThrow('it lies before the program headers');
  expect(() => alignText(Buffer.from('#!/bin/sh\n'.repeat(10)))).toThrow('no 64-bit ELF file');
});

test.each(['plumb', 'plumb-node'])('the code of dist/%s can be mapped by huge pages', (name) => {
  const { offset, address } = code(join(import.meta.dirname, '../../dist', name));
  expect((address - offset) % HUGE_PAGE).toBe(0);
});
