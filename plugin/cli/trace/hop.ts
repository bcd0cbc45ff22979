/** One thing that happens to a packet on its way. */
export interface Hop {
  /** `container`, `host`, or `container ID` for the one that it goes to. */
  readonly where: string;
  /** `ok`: it goes on. `stops`: it does not. `unsure`: it may stop here, which cannot be known from outside. */
  readonly outcome: 'ok' | 'stops' | 'unsure';
  /** What happens, or why it stops. */
  readonly what: string;
  /** How to mend it. */
  readonly remedy?: string;
}

/** Makes the hops of one place. */
export interface Place {
  ok(what: string): Hop;
  unsure(what: string, remedy?: string): Hop;
  stops(what: string, remedy: string): Hop;
}

/** See {@link Place}. */
export function place(where: string): Place {
  return {
    ok: (what) => ({ where, outcome: 'ok', what }),
    unsure: (what, remedy) => ({
      where,
      outcome: 'unsure',
      what,
      ...(remedy === undefined ? {} : { remedy }),
    }),
    stops: (what, remedy) => ({ where, outcome: 'stops', what, remedy }),
  };
}
