import type { Argument, Command, Option } from 'commander';

/** What stands behind an option, or in the place of an argument, as far as it can be completed. */
export type Value = 'file' | 'folder' | 'command' | 'word';

/** An option. */
export interface OptionModel {
  /** Such as `-h` and `--help`. */
  readonly flags: readonly string[];
  /** How its value is called in the help; undefined if it has none. */
  readonly value: string | undefined;
  readonly kind: Value;
  readonly choices: readonly string[];
  readonly description: string;
  /** Used without the option; undefined if there is none. */
  readonly fallback: string | undefined;
}

/** An argument. */
export interface ArgumentModel {
  readonly name: string;
  readonly kind: Value;
  readonly choices: readonly string[];
  readonly description: string;
  readonly isRequired: boolean;
  readonly isVariadic: boolean;
}

/** One command, or the program itself. */
export interface CommandModel {
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionModel[];
  readonly args: readonly ArgumentModel[];
}

/** The command line, as completion and the manual page tell it. */
export interface ProgramModel extends CommandModel {
  readonly commands: readonly CommandModel[];
}

/** Describes a command line by what `--help` goes by. */
export function describeProgram(program: Command): ProgramModel {
  const help = program.createHelp();
  return {
    ...describeCommand(program),
    commands: help.visibleCommands(program).map(describeCommand),
  };
}

/** The options of the program that may stand behind a command too. */
export function sharedOptions({ options }: ProgramModel): OptionModel[] {
  return options.filter(({ flags }) => flags.includes('--json'));
}

function describeCommand(command: Command): CommandModel {
  const help = command.createHelp();
  return {
    name: command.name(),
    description: command.description(),
    options: help.visibleOptions(command).map(describeOption),
    args: command.registeredArguments.map(describeArgument),
  };
}

function describeOption(option: Option): OptionModel {
  const [, value] = /[<[](\S+?)(?:\.\.\.)?[>\]]/.exec(option.flags) ?? [];
  return {
    flags: [option.short, option.long].filter((flag) => flag !== undefined),
    value,
    kind: kindOf(value ?? ''),
    choices: option.argChoices ?? [],
    description: option.description,
    fallback: typeof option.defaultValue === 'string' ? option.defaultValue : undefined,
  };
}

function describeArgument(argument: Argument): ArgumentModel {
  return {
    name: argument.name(),
    kind: kindOf(argument.name()),
    choices: argument.argChoices ?? [],
    description: argument.description,
    isRequired: argument.required,
    isVariadic: argument.variadic,
  };
}

const KINDS: Readonly<Record<string, Value>> = {
  file: 'file',
  netns: 'file',
  dir: 'folder',
  // The argument of `help`.
  command: 'command',
};

function kindOf(name: string): Value {
  return KINDS[name.toLowerCase()] ?? 'word';
}
