import { checkedRangeSets } from '../../src/cni/ranges.ts';
import type { RawRange } from '../../src/cni/raw.ts';
import type { RangeSet } from '../../src/ip/range.ts';

/** Range sets as they stand in a configuration, under the path `ranges`. */
export function rangeSets(...sets: RawRange[][]): RangeSet[] {
  return checkedRangeSets(sets.map((set, i) => set.map((raw, j) => ({ path: `ranges[${i}][${j}]`, raw }))));
}
