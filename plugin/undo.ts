import { errorMessage } from '../src/errors.ts';

/** The steps that take back what was done, run in reverse when something fails. */
export class Undo {
  readonly #steps: (() => void)[] = [];

  /** Registers how to take back the step that comes next. It must be harmless if that step did nothing. */
  register(step: () => void): void {
    this.#steps.push(step);
  }

  /** Takes everything back, every step whatever the others throw; returns what went wrong, in words. */
  run(): string[] {
    const failures: string[] = [];
    for (const step of this.#steps.splice(0).reverse()) {
      try {
        step();
      } catch (error) {
        failures.push(errorMessage(error));
      }
    }
    return failures;
  }
}
