// <elf.h>
const ELF_HEADER_SIZE = 64;
const SEGMENT_SIZE = 56;
const SECTION_SIZE = 64;
const PT_LOAD = 1;
const PF_X = 1;

const HUGE_PAGE = 2 ** 21;

/**
 * Puts the code of an x86-64 ELF executable where huge pages can map it: where its place in the file and its place in
 * memory are the same within a page of 2 MiB, which linkers see to for pages of 4 KiB only. The page cache keeps a file
 * that was written in one go in such pages, and the kernel then maps 2 MiB of code at the first touch and not 64 KiB.
 *
 * Bytes are put into the file before the code, and what comes behind moves; nothing changes in memory. Returns the
 * file itself where nothing is to be done. Throws an `Error` for what is built in another way.
 */
export function alignText(file: Buffer): Buffer {
  if (file.length < ELF_HEADER_SIZE || file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2) {
    throw new Error('cannot align the code: no 64-bit ELF file');
  }
  const segments = table(file, Number(file.readBigUInt64LE(32)), file.readUInt16LE(56), SEGMENT_SIZE);
  const sections = table(file, Number(file.readBigUInt64LE(40)), file.readUInt16LE(60), SECTION_SIZE);
  const code = segments.find(
    (at) => file.readUInt32LE(at) === PT_LOAD && (file.readUInt32LE(at + 4) & PF_X) !== 0,
  );
  if (code === undefined) throw new Error('cannot align the code: there is none');
  const from = file.readBigUInt64LE(code + 8);
  const gap = (file.readBigUInt64LE(code + 16) - from) & BigInt(HUGE_PAGE - 1);
  if (gap === 0n) return file;
  const behindTables = Math.max(...segments) + SEGMENT_SIZE;
  if (from < behindTables) throw new Error('cannot align the code: it lies before the program headers');
  const moved = Buffer.from(file);
  // e_shoff; p_offset; sh_offset.
  for (const at of [40, ...segments.map((at) => at + 8), ...sections.map((at) => at + 24)]) {
    const offset = moved.readBigUInt64LE(at);
    if (offset >= from) moved.writeBigUInt64LE(offset + gap, at);
  }
  return Buffer.concat([
    moved.subarray(0, Number(from)),
    Buffer.alloc(Number(gap)),
    moved.subarray(Number(from)),
  ]);
}

/** The offsets of a table's entries. */
function table(file: Buffer, offset: number, count: number, size: number): number[] {
  if (offset + count * size > file.length) throw new Error('cannot align the code: the file is cut off');
  return Array.from({ length: count }, (_, i) => offset + i * size);
}
