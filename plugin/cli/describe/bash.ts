import {
  type CommandModel,
  type OptionModel,
  type ProgramModel,
  sharedOptions,
  type Value,
} from './model.ts';

/** Completion for bash, to be sourced. It needs nothing of the package bash-completion. */
export function bashCompletion(program: ProgramModel): string {
  const { name, commands } = program;
  const all = [...program.options, ...commands.flatMap(({ options }) => options)];
  const withValue = distinct(all.filter(({ value }) => value !== undefined).flatMap(({ flags }) => flags));
  const shared = sharedOptions(program);
  return `# bash completion for ${name}; made by \`${name} completion bash\`
_${name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} command= at=0 i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
${withValue.length === 0 ? '' : `      ${withValue.join(' | ')}) ((i++)) ;;\n`}      -*) ;;
      *) if [ -z "$command" ]; then command=\${COMP_WORDS[i]}; else ((at++)); fi ;;
    esac
  done
  COMPREPLY=()
  case "$command $prev" in
${[program, ...commands].flatMap((command) => optionCases(command, command === program, program)).join('')}  esac
  local words=
  case "$command" in
${caseOf('', words(program.options), `words+=" ${names(program)}"`)}${commands.map((command) => caseOf(command.name, words([...command.options, ...shared]), argumentCases(command, program))).join('')}  esac
  COMPREPLY+=($(compgen -W "$words" -- "$cur"))
}
complete -F _${name} ${name}
`;
}

function distinct(items: readonly string[]): string[] {
  return [...new Set(items)];
}

function names({ commands }: ProgramModel): string {
  return commands.map(({ name }) => name).join(' ');
}

/** Options stand in the list only once somebody has begun one, so that arguments are not buried below them. */
function words(options: readonly OptionModel[]): string {
  return options.flatMap(({ flags }) => flags.filter((flag) => flag.startsWith('--'))).join(' ');
}

function caseOf(name: string, options: string, body: string): string {
  const lines = [`[[ $cur != -* ]] || words="${options}"`, ...(body === '' ? [] : [body])];
  return `    ${name === '' ? "''" : name})\n${lines.map((line) => `      ${line}\n`).join('')}      ;;\n`;
}

function optionCases({ name, options }: CommandModel, isProgram: boolean, program: ProgramModel): string[] {
  return options
    .filter(({ value }) => value !== undefined)
    .map(
      (option) =>
        `    ${option.flags.map((flag) => `"${isProgram ? '' : name} ${flag}"`).join(' | ')})\n` +
        `      ${generate(option, program)}\n      return\n      ;;\n`,
    );
}

function argumentCases({ args }: CommandModel, program: ProgramModel): string {
  return args
    .map((argument, i) => {
      const condition = argument.isVariadic ? `at >= ${i}` : `at == ${i}`;
      const command = generate(argument, program);
      return command === ':' ? '' : `[[ $cur != -* ]] && ((${condition})) && ${command}`;
    })
    .filter((line) => line !== '')
    .join('\n      ');
}

function generate(
  { kind, choices }: Pick<OptionModel, 'choices'> & { readonly kind: Value },
  program: ProgramModel,
): string {
  const list = kind === 'command' ? names(program) : choices.join(' ');
  if (list !== '') return `COMPREPLY=($(compgen -W "${list}" -- "$cur"))`;
  if (kind === 'file') return paths('-f');
  if (kind === 'folder') return paths('-d');
  return ':';
}

// Without compopt a blank would follow the name of a folder; it works inside a completion only.
function paths(flag: string): string {
  return `{ mapfile -t COMPREPLY < <(compgen ${flag} -- "$cur"); compopt -o filenames 2>/dev/null; }`;
}
