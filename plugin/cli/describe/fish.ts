import {
  type CommandModel,
  type OptionModel,
  type ProgramModel,
  sharedOptions,
  type Value,
} from './model.ts';

/** Completion for fish: a file `plumb.fish` in its folder of completions. */
export function fishCompletion(program: ProgramModel): string {
  const { name, commands } = program;
  const complete = (...parts: string[]): string => `complete -c ${name} ${parts.filter(Boolean).join(' ')}\n`;
  const names = commands.map((command) => command.name).join(' ');
  const shared = sharedOptions(program);
  const option = (condition: string, it: OptionModel): string =>
    complete(condition, ...it.flags.map(flagSpec), valueSpec(it, names), `-d ${quoted(it.description)}`);
  const ofCommand = (command: CommandModel): string => {
    const condition = `-n ${quoted(`__fish_seen_subcommand_from ${command.name}`)}`;
    return [
      complete('-n __fish_use_subcommand', `-a ${command.name}`, `-d ${quoted(command.description)}`),
      ...command.options.map((it) => option(condition, it)),
      ...command.args
        .map(({ kind, choices }) => listSpec(kind, choices, names))
        .filter(Boolean)
        .map((spec) => complete(condition, spec)),
    ].join('');
  };
  return [
    `# fish completion for ${name}; made by \`${name} completion fish\`\n`,
    complete('-f'),
    ...program.options.map((it) => option(shared.includes(it) ? '' : '-n __fish_use_subcommand', it)),
    ...commands.map(ofCommand),
  ].join('');
}

function flagSpec(flag: string): string {
  return flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`;
}

function valueSpec({ value, kind, choices }: OptionModel, names: string): string {
  return value === undefined ? '' : `-r ${listSpec(kind, choices, names)}`.trim();
}

function listSpec(kind: Value, choices: readonly string[], names: string): string {
  if (choices.length > 0) return `-a ${quoted(choices.join(' '))}`;
  if (kind === 'file') return '-F';
  if (kind === 'folder') return "-a '(__fish_complete_directories)'";
  return kind === 'command' ? `-a ${quoted(names)}` : '';
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
