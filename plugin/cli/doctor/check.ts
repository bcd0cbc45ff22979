import type { Facts } from './facts.ts';
import type { Problem } from './problem.ts';

/** One thing that doctor looks at. */
export interface Check {
  /** In a word; the problems that it finds bear it. */
  readonly name: string;
  /** It is no single container's, and passed over where one is asked about. */
  readonly isGeneral?: true;
  /** What is wrong; what only follows from what another check tells is not told again. */
  find(facts: Facts): Omit<Problem, 'check'>[];
}
