import { CniError, ErrInvalidEnvironmentVariables } from './error.ts';
import { IDENTIFIER_RULE, isIdentifier, isPlain } from './identifier.ts';

const COMMANDS = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'] as const;

/** A verb of the CNI protocol. */
export type Command = (typeof COMMANDS)[number];

/** The CNI_* variables of one call. What the command does not use is passed on unchecked, '' when unset. */
export interface Environment {
  readonly command: Command;
  readonly containerId: string;
  /** Path of the network namespace; may be empty for DEL. */
  readonly netns: string;
  readonly ifname: string;
  /** CNI_ARGS as it came; see parseCniArgs. */
  readonly args: string;
  /** CNI_PATH: folders with plugins, separated by colons. */
  readonly path: string;
}

type Variables = Readonly<Record<string, string | undefined>>;

const REQUIRED: Readonly<Record<Command, readonly string[]>> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME'],
  GC: ['CNI_PATH'],
  STATUS: [],
  VERSION: [],
};

const MAX_NAME_BYTES = 15; // IFNAMSIZ (linux/if.h) is 16 with the terminating NUL
const RESERVED_IFNAMES: ReadonlyMap<string, string> = new Map([
  ['lo', "the loopback interface's"],
  ['all', 'the one that sysctl has for every interface'],
  ['default', 'the one that sysctl has for new interfaces'],
]);

/**
 * Reads and checks the CNI_* variables. `allowLoopback` lets ADD have the interface name `lo`, which the
 * loopback plugin is called with.
 *
 * @throws CniError with code 4 that names every variable that is missing or invalid, with its value and rule
 */
export function parseEnvironment(env: Variables, allowLoopback = false): Environment {
  const command = env['CNI_COMMAND'] ?? '';
  if (!isCommand(command)) {
    const problem = command === '' ? 'is missing' : `is ${JSON.stringify(command)}`;
    throw invalid([`CNI_COMMAND ${problem}: allowed are ${COMMANDS.join(', ')}`]);
  }
  const problems: string[] = [];
  for (const name of REQUIRED[command]) {
    const value = env[name] ?? '';
    const rule = value === '' ? `required for ${command}` : ruleBroken(name, value, command, allowLoopback);
    if (rule !== undefined) {
      problems.push(
        value === '' ? `${name} is missing: ${rule}` : `${name} is ${JSON.stringify(value)}: ${rule}`,
      );
    }
  }
  if (problems.length > 0) throw invalid(problems);
  return {
    command,
    containerId: env['CNI_CONTAINERID'] ?? '',
    netns: env['CNI_NETNS'] ?? '',
    ifname: env['CNI_IFNAME'] ?? '',
    args: env['CNI_ARGS'] ?? '',
    path: env['CNI_PATH'] ?? '',
  };
}

function isCommand(text: string): text is Command {
  return COMMANDS.some((command) => command === text);
}

function invalid(problems: readonly string[]): CniError {
  return new CniError(ErrInvalidEnvironmentVariables, `invalid environment: ${problems.join('; ')}`);
}

function ruleBroken(
  name: string,
  value: string,
  command: Command,
  allowLoopback: boolean,
): string | undefined {
  if (name === 'CNI_CONTAINERID') return isIdentifier(value) ? undefined : `must be ${IDENTIFIER_RULE}`;
  if (name !== 'CNI_IFNAME') return undefined;
  const owner = command === 'ADD' ? RESERVED_IFNAMES.get(value) : undefined;
  if (owner !== undefined && !(allowLoopback && value === 'lo')) {
    return `cannot be given to a new interface: the name is ${owner}`;
  }
  return ifnameRuleBroken(value);
}

/** The rules of dev_valid_name (net/core/dev.c), and those of names that the kernel would not take literally. */
function ifnameRuleBroken(name: string): string | undefined {
  // Nearly all are like this, and need no closer look.
  if (isPlain(name) && name.length <= MAX_NAME_BYTES && !name.startsWith('.')) return undefined;
  const bytes = new TextEncoder().encode(name);
  if (bytes.length > MAX_NAME_BYTES) return `must not be longer than ${MAX_NAME_BYTES} bytes`;
  if (name === '.' || name === '..') return "must not be '.' or '..'";
  // The kernel takes eth%d for a template and would make another name of it.
  if (/[/:%]/.test(name)) return "must not contain '/', ':' or '%'";
  // Byte 0xa0 counts as space in the kernel's own ctype table, even inside a UTF-8 sequence.
  if (/\s/.test(name) || bytes.includes(0xa0)) return 'must not contain white space';
  if (/\p{Cc}|\ufffd/u.test(name)) return 'must not contain control characters or bytes that are not UTF-8';
  return undefined;
}
