import type { AttachmentKey } from '../../names.ts';

/** Something that is wrong, and how to mend it. */
export interface Problem {
  /** The check that found it: `link`, `route`, … */
  readonly check: string;
  /** What it is about: a container's interface, a link, a chain, a file. */
  readonly object: string;
  /** What is wrong. */
  readonly problem: string;
  /** How to mend it, with the command where there is one. */
  readonly remedy: string;
  /** It depends on what cannot be seen from here whether it does harm, so that it does not count. */
  readonly doubtful?: true;
}

/** A container's interface, as the object of a problem. */
export function nameOf({ containerId, ifname }: AttachmentKey): string {
  return `container ${containerId} ${ifname}`;
}

/** A problem as a check tells it, which does not name itself. */
export type Finding = Omit<Problem, 'check'>;
