import {
  type ArgumentModel,
  type CommandModel,
  type OptionModel,
  type ProgramModel,
  sharedOptions,
  type Value,
} from './model.ts';

/** Completion for zsh: a file `_plumb` in a folder of `fpath`. */
export function zshCompletion(program: ProgramModel): string {
  const { name, commands } = program;
  return `#compdef ${name}
# made by \`${name} completion zsh\`
_${name}_commands() {
  local -a commands
  commands=(
${commands.map((command) => `    ${quoted(`${command.name}:${command.description}`)}\n`).join('')}  )
  _describe command commands
}
_${name}() {
  local context state state_descr line
  typeset -A opt_args
  _arguments -C \\
${program.options.map((option) => `    ${optionSpec(option, name)} \\\n`).join('')}    '1:command:_${name}_commands' \\
    '*::argument:->argument'
  [[ $state == argument ]] || return
  case $words[1] in
${commands.map((command) => commandCase(command, program)).join('')}  esac
}
_${name} "$@"
`;
}

function commandCase(command: CommandModel, program: ProgramModel): string {
  const specs = [
    ...[...command.options, ...sharedOptions(program)].map((option) => optionSpec(option, program.name)),
    ...command.args.map((argument, i) => argumentSpec(argument, i, program.name)),
  ];
  return `    ${command.name})\n      _arguments \\\n        ${specs.join(' \\\n        ')}\n      ;;\n`;
}

function optionSpec({ flags, value, kind, choices, description }: OptionModel, program: string): string {
  const behind = value === undefined ? '' : `:${value}:${action(kind, choices, program)}`;
  const excluded = flags.length > 1 ? `(${flags.join(' ')})` : '';
  return flags
    .map((flag) => quoted(`${excluded}${flag}[${description.replace(/[[\]\\]/g, '\\$&')}]${behind}`))
    .join(' ');
}

function argumentSpec(
  { name, kind, choices, isVariadic, isRequired }: ArgumentModel,
  index: number,
  program: string,
): string {
  const place = isVariadic ? '*' : `${index + 1}`;
  return quoted(`${place}${isRequired || isVariadic ? ':' : '::'}${name}:${action(kind, choices, program)}`);
}

function action(kind: Value, choices: readonly string[], program: string): string {
  if (choices.length > 0) return `(${choices.join(' ')})`;
  if (kind === 'file') return '_files';
  if (kind === 'folder') return '_files -/';
  return kind === 'command' ? `_${program}_commands` : ' ';
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
