/** How the command line ends. The manual page lists them. */
export const ExitCode = {
  /** Done; nothing is wrong. */
  ok: 0,
  /** It was found out that something is wrong: doctor, check-config, check, status. */
  wrong: 1,
  /** The command line cannot be understood. */
  usage: 2,
  /** The command could not do what it was asked to. */
  failed: 3,
} as const;

/** What each exit code means, for people. */
export const EXIT_MEANINGS: Readonly<Record<number, string>> = {
  [ExitCode.ok]: 'done; nothing is wrong',
  [ExitCode.wrong]: 'it was found out that something is wrong',
  [ExitCode.usage]: 'the command line cannot be understood',
  [ExitCode.failed]: 'the command could not do what it was asked to',
};
