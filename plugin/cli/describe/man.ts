import { EXIT_MEANINGS } from '../exit-code.ts';
import type { ArgumentModel, CommandModel, OptionModel, ProgramModel } from './model.ts';

const FILES: readonly (readonly [string, string])[] = [
  ['/etc/cni/net.d', 'where runtimes look for configurations'],
  ['/opt/cni/bin', 'where runtimes look for plugins'],
  ['/run/plumb', 'attachment records, unless the configuration has another runDir'],
  ['/var/lib/cni/networks', 'leases of host-local, unless the configuration has another dataDir'],
];

/** The manual page, section 8, for man(1): macros of man(7). */
export function manualPage(program: ProgramModel, version: string): string {
  const { name, description, commands } = program;
  return [
    `.TH ${name.toUpperCase()} 8 "" ${quoted(`${name} ${version}`)} "System Administration"`,
    section('NAME'),
    `${name} \\- ${roff(firstWords(description))}`,
    section('SYNOPSIS'),
    `.B ${name}`,
    roff('[--json] COMMAND [OPTION...] [ARGUMENT...]'),
    section('DESCRIPTION'),
    roff(description),
    '.PP',
    roff(
      'Called by a container runtime, with CNI_COMMAND in the environment, it answers by the CNI protocol. Called without, and with arguments or from a terminal, it does what this page describes.',
    ),
    section('OPTIONS'),
    ...program.options.flatMap(option),
    section('COMMANDS'),
    ...commands.flatMap((command) => describe(command, name)),
    section('EXIT STATUS'),
    ...Object.entries(EXIT_MEANINGS).flatMap(([code, meaning]) => tagged(`.B ${code}`, meaning)),
    section('FILES'),
    ...FILES.flatMap(([path, meaning]) => tagged(`.I ${roff(path)}`, meaning)),
    section('SEE ALSO'),
    roff('ip(8), nft(8), tc(8), https://www.cni.dev/docs/spec/'),
    '',
  ].join('\n');
}

function firstWords(description: string): string {
  return (description.split(':')[0] ?? description).replace(/\.$/, '').replace(/^A /, 'a ');
}

function describe(command: CommandModel, program: string): string[] {
  const { name, args, options } = command;
  // Not as a macro's arguments, which would end at blanks.
  const usage = [program, name, ...(options.length > 0 ? ['[OPTION...]'] : []), ...args.map(usageOf)];
  return [
    `.SS ${quoted(usage.join(' '))}`,
    `${roff(sentence(command.description))}`,
    ...args
      .filter(({ description }) => description !== '')
      .flatMap((argument) => tagged(`.I ${roff(argument.name)}`, argument.description)),
    ...options.flatMap(option),
  ];
}

function usageOf({ name, isRequired, isVariadic }: ArgumentModel): string {
  const text = isVariadic ? `${name.replace(/\.\.\.$/, '')}...` : name;
  return isRequired ? text : `[${text}]`;
}

function option({ flags, value, description, choices, fallback }: OptionModel): string[] {
  const names = flags.map((flag) => `\\fB${roff(flag)}\\fR`).join(', ');
  const more = [
    ...(choices.length > 0 ? [`one of ${choices.join(', ')}`] : []),
    ...(fallback === undefined ? [] : [`${fallback} without it`]),
  ];
  const words = more.length === 0 ? description : `${description} (${more.join('; ')})`;
  return tagged(value === undefined ? names : `${names} \\fI${roff(value)}\\fR`, words);
}

function tagged(tag: string, text: string): string[] {
  return ['.TP', tag, roff(sentence(text))];
}

function sentence(text: string): string {
  const trimmed = text.trim();
  return `${trimmed.slice(0, 1).toUpperCase()}${trimmed.slice(1)}${/[.!?]$/.test(trimmed) ? '' : '.'}`;
}

function section(title: string): string {
  return `.SH ${title}`;
}

/** What roff would take for its own; and what would be a hyphen, where a minus sign is meant to be copied. */
function roff(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('’', "'")
    .replaceAll('“', '"')
    .replaceAll('”', '"')
    .replaceAll('…', '...');
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

function quoted(text: string): string {
  return `"${roff(text).replaceAll('"', '""')}"`;
}
