import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';

/** What {@link blindEnvironment} changed, for its tests. */
export interface BlindedSymbols {
  /** The imports of the executable that lead to `ether_aton` now. */
  readonly imports: readonly string[];
  /** The names under which the executable had libc's `environ`. */
  readonly variables: readonly string[];
}

// Any name that is no MAC address is NULL to ether_aton(3), which touches nothing and is as old as getenv(3) in glibc.
const HARMLESS = 'ether_aton';
const GETTERS = ['getenv', 'secure_getenv'];
const VARIABLES = ['environ', '_environ', '__environ'];

// <elf.h>
const PT_NULL = 0;
const PT_LOAD = 1;
const PT_NOTE = 4;
const SEGMENT_SIZE = 56;
const SHT_RELA = 4;
const SHT_DYNSYM = 11;
const SHT_GNU_VERSYM = 0x6fffffff;
const SHN_UNDEF = 0;
const R_X86_64_COPY = 5;
const R_X86_64_GLOB_DAT = 6;
const R_X86_64_RELATIVE = 8;
const SYMBOL_SIZE = 24;
const RELOCATION_SIZE = 24;

/**
 * Takes the environment away from a runtime that is an x86-64 ELF executable, so that no variable can act before the
 * program's first line, or at all:
 *
 * - its imports of getenv(3) and secure_getenv(3) are bound to ether_aton(3), which returns NULL for every name;
 * - its copy of `environ` becomes a list of its own, which is empty or has one fixed variable, and libc keeps the real
 *   one to itself.
 *
 * The program itself finds its environment in /proc/self/environ. The file is changed in place, in tables that the
 * dynamic loader reads; no instruction is touched. Throws an `Error`, before anything is written, when the
 * executable is not built the way this knows.
 * @param variable `NAME=value`, at most 31 bytes, for what looks into `environ`; the functions find nothing all the same
 */
export function blindEnvironment(path: string, variable?: string): BlindedSymbols {
  const fd = openSync(path, 'r+');
  try {
    return blind(new ElfFile(fd), variable);
  } finally {
    closeSync(fd);
  }
}

interface Section {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

/** A part of the file in memory; {@link ElfFile.write} puts it back. */
interface Table {
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

class ElfFile {
  readonly #fd: number;
  readonly sections: readonly Section[];
  /** Where the file's first byte is mapped. */
  readonly base: number;
  /** Its program headers. */
  readonly segments: Table;

  constructor(fd: number) {
    this.#fd = fd;
    const { view } = this.read(0, 64);
    // Magic, ELFCLASS64, ELFDATA2LSB; ET_EXEC; EM_X86_64.
    demand(view.getUint32(0) === 0x7f454c46 && view.getUint16(4) === 0x0201, 'is no 64-bit ELF file');
    demand(
      view.getUint16(16, true) === 2 && view.getUint16(18, true) === 62,
      'is no fixed x86-64 executable',
    );
    demand(view.getBigUint64(8) === 0n, 'uses the padding of the ELF header');
    const sectionCount = view.getUint16(60, true);
    const headers = this.read(number(view, 40), sectionCount * 64).view;
    this.sections = Array.from({ length: sectionCount }, (_, i) => ({
      type: headers.getUint32(i * 64 + 4, true),
      offset: number(headers, i * 64 + 24),
      size: number(headers, i * 64 + 32),
      link: headers.getUint32(i * 64 + 40, true),
    }));
    this.segments = this.read(number(view, 32), view.getUint16(56, true) * SEGMENT_SIZE);
    const first = this.segment((type, at) => type === PT_LOAD && number(this.segments.view, at + 8) === 0);
    this.base = number(this.segments.view, defined(first, 'does not map its ELF header') + 16);
  }

  /** Where in the program headers the first one lies that is wanted. */
  segment(isWanted: (type: number, at: number) => boolean): number | undefined {
    const { view } = this.segments;
    for (let at = 0; at < view.byteLength; at += SEGMENT_SIZE) {
      if (isWanted(view.getUint32(at, true), at)) return at;
    }
    return undefined;
  }

  read(offset: number, size: number): Table {
    demand(size >= 0 && offset + size <= fstatSync(this.#fd).size, 'is cut off');
    const bytes = new Uint8Array(size);
    for (let done = 0; done < size; ) done += readSync(this.#fd, bytes, done, size - done, offset + done);
    return { offset, bytes, view: new DataView(bytes.buffer) };
  }

  table(section: Section | undefined, name: string): Table {
    const { offset, size } = defined(section, `has no ${name}`);
    return this.read(offset, size);
  }

  write({ offset, bytes }: Table): void {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#fd, bytes, done, bytes.length - done, offset + done);
    }
  }
}

/** Puts a list of one variable in the place of the notes' program header, which nothing needs; returns its address. */
function fixedEnvironment(elf: ElfFile, variable: string): number {
  const { bytes, view, offset } = elf.segments;
  const at = defined(
    elf.segment((type) => type === PT_NOTE),
    'has no program header for notes',
  );
  const list = at + 8;
  const text = Buffer.from(`${variable}\0`);
  demand(text.length <= SEGMENT_SIZE - 24 && (offset + list) % 8 === 0, 'has no room for the variable');
  bytes.fill(0, at, at + SEGMENT_SIZE);
  view.setUint32(at, PT_NULL, true);
  view.setBigUint64(list, BigInt(elf.base + offset + list + 16), true);
  bytes.set(text, list + 16);
  return elf.base + offset + list;
}

function blind(elf: ElfFile, variable: string | undefined): BlindedSymbols {
  const dynsym = elf.sections.find(({ type }) => type === SHT_DYNSYM);
  const symbols = elf.table(dynsym, 'dynamic symbols');
  const strings = elf.table(elf.sections[dynsym?.link ?? -1], 'dynamic strings');
  const versions = elf.table(
    elf.sections.find(({ type }) => type === SHT_GNU_VERSYM),
    'symbol versions',
  );
  const nameAt = (offset: number): string =>
    Buffer.from(strings.bytes.subarray(offset, strings.bytes.indexOf(0, offset))).toString('latin1');
  const count = symbols.bytes.length / SYMBOL_SIZE;
  const byName = new Map<string, number>();
  for (let index = 1; index < count; index++) {
    byName.set(nameAt(symbols.view.getUint32(index * SYMBOL_SIZE, true)), index);
  }
  const isImport = (index: number): boolean =>
    symbols.view.getUint16(index * SYMBOL_SIZE + 6, true) === SHN_UNDEF;

  const getters = GETTERS.map((name) => defined(byName.get(name), `does not import ${name}`));
  const [plain = 0, secure = 0] = getters;
  demand(getters.every(isImport), 'defines getenv itself');
  // The longer of the two names makes room for the new one; nothing else may lie in its bytes.
  const room = symbols.view.getUint32(secure * SYMBOL_SIZE, true);
  for (let index = 1; index < count; index++) {
    const name = symbols.view.getUint32(index * SYMBOL_SIZE, true);
    const shares = name >= room && name <= room + HARMLESS.length;
    demand(!shares || getters.includes(index), 'shares the name secure_getenv');
  }
  strings.bytes.set(Buffer.from(`${HARMLESS}\0`), room);
  for (const index of getters) symbols.view.setUint32(index * SYMBOL_SIZE, room, true);
  // ether_aton has the version of getenv; secure_getenv is younger.
  versions.view.setUint16(secure * 2, versions.view.getUint16(plain * 2, true), true);

  const variables = VARIABLES.filter((name) => byName.has(name));
  const indexes = variables.map((name) => byName.get(name));
  const relocations = elf.sections
    .filter(({ type }) => type === SHT_RELA)
    .map((s) => elf.table(s, 'relocations'));
  // Eight bytes of padding in the ELF header are a list that ends before its first entry.
  const list = variable === undefined ? elf.base + 8 : fixedEnvironment(elf, variable);
  let copies = 0;
  for (const { view } of relocations) {
    for (let at = 0; at < view.byteLength; at += RELOCATION_SIZE) {
      if (!indexes.includes(view.getUint32(at + 12, true))) continue;
      const type = view.getUint32(at + 8, true);
      const symbol = view.getUint32(at + 12, true);
      demand(type === R_X86_64_COPY || type === R_X86_64_GLOB_DAT, `reaches environ by relocation ${type}`);
      if (type === R_X86_64_COPY) copies++;
      const value = type === R_X86_64_COPY ? list : number(symbols.view, symbol * SYMBOL_SIZE + 8);
      view.setBigUint64(at + 8, BigInt(R_X86_64_RELATIVE), true);
      view.setBigUint64(at + 16, BigInt(value), true);
    }
  }
  demand(copies === 1, `copies environ ${copies} times, not once`);
  // Without their names they no longer stand in for libc's own variable.
  for (const index of indexes) if (index !== undefined) symbols.view.setUint32(index * SYMBOL_SIZE, 0, true);

  for (const table of [strings, symbols, versions, elf.segments, ...relocations]) elf.write(table);
  return { imports: GETTERS, variables };
}

function number(view: DataView, offset: number): number {
  return Number(view.getBigUint64(offset, true));
}

function demand(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new Error(`cannot take the environment away: the executable ${problem}`);
}

function defined<T>(value: T | undefined, problem: string): T {
  demand(value !== undefined, problem);
  return value;
}
