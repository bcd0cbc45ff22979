import { dispatch } from './dispatch.ts';

/** The whole program, as the small bundle sees it. */
export interface Whole {
  readonly dispatch: typeof dispatch;
}

export { dispatch };
