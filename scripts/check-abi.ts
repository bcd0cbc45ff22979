// Compares every constant of src/netlink/abi, and the struct sizes, with the kernel headers of this machine by
// compiling a C program that prints them.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ERRNO_NAMES } from '../src/errno.ts';
import { STRUCT_SIZES } from '../src/netlink/abi/struct-sizes.ts';
import { enumNames, flagNames } from '../src/netlink/message/nft-kernel-names.ts';

const folder = join(import.meta.dirname, '../src/netlink/abi');
const ours = new Map<string, number>(
  Object.entries(STRUCT_SIZES).map(([name, size]) => [`sizeof(struct ${name})`, size]),
);
for (const [i, name] of ERRNO_NAMES.entries()) if (name !== '-') ours.set(name, i + 1);
for (const [prefix, names] of Object.entries<readonly string[]>(enumNames()))
  for (const [i, name] of names.entries()) ours.set(prefix + name.toUpperCase(), i);
for (const [prefix, names] of Object.entries<readonly string[]>(flagNames()))
  for (const [bit, name] of names.entries()) ours.set(prefix + name.toUpperCase(), 1 << bit);
const headers = new Set([
  '<errno.h>',
  '<linux/netlink.h>',
  '<linux/rtnetlink.h>',
  '<linux/netfilter/nfnetlink.h>',
  '<linux/netfilter/nf_nat.h>',
]);
for (const file of readdirSync(folder)) {
  const source = readFileSync(join(folder, file), 'utf8');
  for (const header of source.split('\n', 1)[0]?.matchAll(/<[\w/.]+>/g) ?? []) headers.add(header[0]);
  for (const match of source.matchAll(/^export const (\w+) = (-?(?:0x)?[0-9a-fA-F]+);/gm)) {
    ours.set(match[1] ?? '', Number(match[2]));
  }
}
// IFF_LOWER_UP and others stand in <linux/if.h>, which cannot be included beside <net/if.h>: the kernel's is used.
const includes = [...headers].sort().map((header) => `#include ${header}`);
const prints = [...ours.keys()].map((name) => `  printf("%lld\\n", (long long)(${name}));`);
const program = [
  '#include <stdio.h>',
  '#include <sys/socket.h>',
  ...includes,
  'int main(void) {',
  ...prints,
  '}',
  '',
];

const work = mkdtempSync(join(tmpdir(), 'abi-'));
try {
  writeFileSync(join(work, 'abi.c'), program.join('\n'));
  execFileSync('cc', ['-w', '-o', join(work, 'abi'), join(work, 'abi.c')], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const values = execFileSync(join(work, 'abi'), { encoding: 'utf8' }).trim().split('\n').map(Number);
  const wrong = [...ours].filter(([, value], i) => values[i] !== value);
  for (const [name, value] of wrong)
    console.error(`${name}: ${value} here, ${values[[...ours.keys()].indexOf(name)]} in the headers`);
  if (wrong.length > 0 || values.length !== ours.size) process.exit(1);
  console.log(`${ours.size} constants and sizes agree with the headers`);
} finally {
  rmSync(work, { recursive: true });
}
