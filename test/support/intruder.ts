import type * as libc from '../../src/sys/libc.ts';

/** What another process does right before the nth datagram to the kernel, for tests that mock libc.ts by {@link libcWithIntruder}. */
export const intruder = { countdown: 0, act: (): void => undefined };

/** The C library as it is, but for the {@link intruder}. */
export function libcWithIntruder(real: typeof libc): typeof libc {
  return {
    ...real,
    sendto: (...args) => {
      if (--intruder.countdown === 0) intruder.act();
      return real.sendto(...args);
    },
  };
}
