import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { blindEnvironment } from '../../scripts/lib/blind-environment.ts';

// A program that looks for its environment in every way that the runtimes have. FIXED lets the compiler take the
// address of `environ` as a constant, so that the linker has to copy the variable into the executable.
const SOURCE = `
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
  const char *plain = getenv("PROBE"), *secure = secure_getenv("PROBE");
  int entries = 0;
  const char *first = "";
  for (char **entry = environ; *entry; entry++) if (!entries++) first = *entry;
  printf("%s %s %d %s\\n", plain ? plain : "none", secure ? secure : "none", entries, first);
  if (argc > 1) fflush(stdout), execv("/usr/bin/env", argv);
  return 0;
}`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'blind-'));
  writeFileSync(join(folder, 'probe.c'), SOURCE);
});
afterAll(() => rmSync(folder, { recursive: true }));

function compile(name: string, ...flags: string[]): string {
  const path = join(folder, name);
  execFileSync('gcc', [...flags, '-o', path, join(folder, 'probe.c')]);
  return path;
}

function probe(path: string, ...args: string[]): string {
  const { stdout } = spawnSync(path, args, { encoding: 'utf8', env: { PROBE: 'seen', OTHER: '1' } });
  return stdout;
}

test('neither getenv nor secure_getenv nor environ shows anything any more', () => {
  const path = compile('fixed', '-no-pie', '-fno-pie');
  expect(probe(path)).toBe('seen seen 2 PROBE=seen\n');
  expect(blindEnvironment(path).imports).toEqual(['getenv', 'secure_getenv']);
  expect(probe(path)).toBe('none none 0 \n');
});

test('environ can be a list of one fixed variable, of which neither libc nor a child hears', () => {
  const path = compile('fixed-list', '-no-pie', '-fno-pie');
  blindEnvironment(path, 'PROBE=0123456789012345678901234');
  expect(probe(path, 'env')).toBe('none none 1 PROBE=0123456789012345678901234\nPROBE=seen\nOTHER=1\n');
});

test('libc itself keeps the environment', () => {
  const path = compile('libc', '-no-pie', '-fno-pie');
  blindEnvironment(path);
  expect(probe(path, 'env')).toBe('none none 0 \nPROBE=seen\nOTHER=1\n');
});

test('refuses what is built in another way, and leaves it as it was', () => {
  const path = compile('pie', '-pie', '-fPIE');
  const before = readFileSync(path);
  expect(() => blindEnvironment(path)).toThrow('is no fixed x86-64 executable');
  const script = join(folder, 'probe.c');
  expect(() => blindEnvironment(script)).toThrow('is no 64-bit ELF file');
  const small = compile('small', '-no-pie', '-fno-pie');
  const untouched = readFileSync(small);
  expect(() => blindEnvironment(small, 'PROBE=01234567890123456789012345')).toThrow(
    'has no room for the variable',
  );
  expect(readFileSync(small).equals(untouched)).toBe(true);
  const done = compile('twice', '-no-pie', '-fno-pie');
  blindEnvironment(done);
  const once = readFileSync(done);
  expect(() => blindEnvironment(done)).toThrow('does not import getenv');
  expect(readFileSync(path).equals(before)).toBe(true);
  expect(readFileSync(done).equals(once)).toBe(true);
  expect(readFileSync(script, 'utf8')).toBe(SOURCE);
});
