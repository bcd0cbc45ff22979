import type { Place } from './document.ts';

/** Something in a configuration file that is wrong, or that is probably not meant. */
export interface Problem extends Place {
  /** An error is refused by plumb or by the runtime; with a warning the network works, but not as one may think. */
  readonly severity: 'error' | 'warning';
  /** Where it is in the document, such as `plugins[0].ipam.ranges[0][0].subnet`. */
  readonly path: string;
  /** What is wrong, and what to do. */
  readonly message: string;
}

/** A problem on one line, as compilers print theirs, which editors can follow. */
export function formatProblem(file: string, { line, column, severity, path, message }: Problem): string {
  return `${file}:${line}:${column}: ${severity}: ${path}: ${message}`;
}

/** Whether plumb or the runtime would refuse the file. */
export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some(({ severity }) => severity === 'error');
}
