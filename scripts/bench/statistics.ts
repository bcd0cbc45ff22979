/** What was measured, in order of size. */
export interface Sample {
  readonly median: number;
  /** The first and the third quartile: how far the values spread. */
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

/** Sums up measured values. */
export function summarize(values: readonly number[]): Sample {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  return { median: at(0.5), low: at(0.25), high: at(0.75), count: sorted.length };
}

/** Values by what was measured, collected round by round. */
export class Series {
  readonly #values = new Map<string, number[]>();

  add(key: string, value: number): void {
    const values = this.#values.get(key);
    if (values === undefined) this.#values.set(key, [value]);
    else values.push(value);
  }

  get(key: string): Sample | undefined {
    const values = this.#values.get(key);
    return values === undefined ? undefined : summarize(values);
  }

  keys(): string[] {
    return [...this.#values.keys()];
  }
}
