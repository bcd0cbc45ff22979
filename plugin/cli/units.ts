// How quantities are shown to people.

const KIBI = 1024;

/** Bytes in binary units: `0 B`, `1.4 KiB`, `12 MiB`. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, KIBI, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']);
}

/** Bits per second in decimal units: `64 kbit/s`, `1.5 Gbit/s`. */
export function formatRate(bits: number): string {
  return scaled(bits, 1000, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s']);
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let step = 0;
  let shown = value;
  // What would be rounded to a full unit is one.
  while (step < units.length - 1 && Number(shown.toFixed(shown < 10 ? 1 : 0)) >= base) {
    shown /= base;
    step++;
  }
  const digits = step === 0 || shown >= 10 ? 0 : 1;
  return `${Number(shown.toFixed(digits))} ${units[step] ?? ''}`;
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
] as const;

/** A time span in its two largest units: `3d4h`, `5m12s`, `8s`. Negative ones, as of a clock that was set, are `0s`. */
export function formatAge(milliseconds: number): string {
  let rest = Math.max(0, Math.floor(milliseconds / 1000));
  const parts = UNITS.map(([unit, seconds]) => {
    const count = Math.floor(rest / seconds);
    rest -= count * seconds;
    return { unit, count };
  });
  const first = parts.findIndex(({ count }) => count > 0);
  if (first < 0) return '0s';
  return parts
    .slice(first, first + 2)
    .filter(({ count }) => count > 0)
    .map(({ unit, count }) => `${count}${unit}`)
    .join('');
}
