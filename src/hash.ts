const PRIME_LOW = 0x1b3;

/**
 * FNV-1a of a text's UTF-8 bytes, 64 bits, as 16 hexadecimal digits: for names, where loading node:crypto would cost
 * 9 ms and no secrecy is needed. The prime is 2^40 + 0x1b3, so that halves of 32 bits do without slow bigints.
 */
export function fnv1a64(text: string): string {
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  for (const byte of new TextEncoder().encode(text)) {
    low = (low ^ byte) >>> 0;
    const product = low * PRIME_LOW;
    high = (Math.imul(high, PRIME_LOW) + (low << 8) + Math.floor(product / 2 ** 32)) >>> 0;
    low = product >>> 0;
  }
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}
