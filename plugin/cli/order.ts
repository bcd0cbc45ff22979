import type { IpAddress } from '../../src/ip/address.ts';

/** Puts addresses in their order, for Array.prototype.sort: IPv4 first, and what is none before. */
export function compareIps(a: IpAddress | undefined, b: IpAddress | undefined): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined);
  return a.family - b.family || (a.value < b.value ? -1 : Number(a.value > b.value));
}

/** Puts texts in the order of their characters' numbers, whatever the locale. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
