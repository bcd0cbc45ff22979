import type { Sample, Series } from './statistics.ts';

/** A table in Markdown, with columns lined up so that it reads as plain text too. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

/** `10.9 (10.7–11.2)`: median and quartiles. */
export function spread(sample: Sample | undefined): string {
  if (sample === undefined) return '–';
  return `${sample.median.toFixed(1)} (${sample.low.toFixed(1)}–${sample.high.toFixed(1)})`;
}

/** `0.95`, of medians. */
export function ratio(ours: Sample | undefined, theirs: Sample | undefined): string {
  if (ours === undefined || theirs === undefined) return '–';
  return (ours.median / theirs.median).toFixed(ours.median / theirs.median < 0.1 ? 3 : 2);
}

/** Rows of a series: what, the reference's value, and of each executable the value and its ratio to the reference's. */
export function rowsOf(series: Series, whats: readonly string[]): string[][] {
  return whats.map((what) => {
    const theirs = series.get(`${what} reference`);
    const ours = series.get(`${what} plumb`);
    const node = series.get(`${what} plumb-node`);
    return [what, spread(theirs), spread(ours), ratio(ours, theirs), spread(node), ratio(node, theirs)];
  });
}
