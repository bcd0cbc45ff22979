import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Argument, Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bashCompletion } from '../../plugin/cli/describe/bash.ts';
import { fishCompletion } from '../../plugin/cli/describe/fish.ts';
import { manualPage } from '../../plugin/cli/describe/man.ts';
import { describeProgram } from '../../plugin/cli/describe/model.ts';
import { zshCompletion } from '../../plugin/cli/describe/zsh.ts';
import { EXIT_MEANINGS } from '../../plugin/cli/exit-code.ts';
import { buildProgram } from '../../plugin/cli/main.ts';
import { Output } from '../../plugin/cli/output.ts';

const program = describeProgram(buildProgram(new Output()));
const names = program.commands.map(({ name }) => name);

// With everything that a command can have.
const sample = describeProgram(
  new Command('sample')
    .description("Do it. It's done.")
    .option('--json', 'JSON')
    .addCommand(
      new Command('go')
        .description("go [there], don't stop")
        .argument('<NETNS>', '.where to')
        .addArgument(new Argument('[how]', 'in what way').choices(['fast', 'slow']))
        .option('-d, --dir <DIR>', 'a folder', '/tmp')
        .option('--word <WORD>', 'a word')
        .option('--no-host', 'not the host'),
    ),
);

test('the program as it is described', () => {
  expect(names).toContain('completion');
  expect(sample.commands[0]).toEqual({
    name: 'go',
    description: "go [there], don't stop",
    options: [
      {
        flags: ['-d', '--dir'],
        value: 'DIR',
        kind: 'folder',
        choices: [],
        description: 'a folder',
        fallback: '/tmp',
      },
      {
        flags: ['--word'],
        value: 'WORD',
        kind: 'word',
        choices: [],
        description: 'a word',
        fallback: undefined,
      },
      {
        flags: ['--no-host'],
        value: undefined,
        kind: 'word',
        choices: [],
        description: 'not the host',
        fallback: undefined,
      },
      {
        flags: ['-h', '--help'],
        value: undefined,
        kind: 'word',
        choices: [],
        description: 'display help for command',
        fallback: undefined,
      },
    ],
    args: [
      {
        name: 'NETNS',
        kind: 'file',
        choices: [],
        description: '.where to',
        isRequired: true,
        isVariadic: false,
      },
      {
        name: 'how',
        kind: 'word',
        choices: ['fast', 'slow'],
        description: 'in what way',
        isRequired: false,
        isVariadic: false,
      },
    ],
  });
});

describe('bash', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'completion-'));
    mkdirSync(join(folder, 'sub'));
    writeFileSync(join(folder, 'sub.conf'), '');
    writeFileSync(join(folder, 'two words'), '');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** What a bash completes the last word with. */
  const complete = (script: string, ...words: string[]): string[] => {
    const run = `${script}
      complete -p "$1" >/dev/null || exit 1
      COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
      "_$1"
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const output = execFileSync('bash', ['-uc', run, 'bash', ...words], { cwd: folder, encoding: 'utf8' });
    return output
      .split('\n')
      .filter((line) => line !== '')
      .sort();
  };
  const own = (...words: string[]): string[] => complete(bashCompletion(program), 'plumb', ...words);
  const ofSample = (...words: string[]): string[] => complete(bashCompletion(sample), 'sample', ...words);

  test('commands, and options once they are begun', () => {
    expect(own('')).toEqual(names.toSorted());
    expect(own('in')).toEqual(['install']);
    expect(own('--json', 'un')).toEqual(['uninstall']);
    expect(own('--v')).toEqual(['--version']);
    expect(own('install', '')).toEqual([]);
    expect(own('install', '--conf')).toEqual(['--conf', '--conf-dir']);
    expect(own('install', '--bin-dir', '/x', '--j')).toEqual(['--json']);
    expect(own('nonsense', '')).toEqual([]);
  });

  test('files, folders, choices, commands', () => {
    expect(own('check-config', '')).toEqual(['sub', 'sub.conf', 'two words']);
    expect(own('check-config', 'sub.conf', 'two')).toEqual(['two words']);
    expect(own('convert', 'sub.conf', '')).toEqual([]);
    expect(own('convert', '--output', 'x', 'sub.')).toEqual(['sub.conf']);
    expect(own('convert', '--output', 'sub.')).toEqual(['sub.conf']);
    expect(own('install', '--bin-dir', '')).toEqual(['sub']);
    expect(own('completion', '')).toEqual(['bash', 'fish', 'zsh']);
    expect(own('help', 'uni')).toEqual(['uninstall']);
    expect(ofSample('go', '')).toEqual(['sub', 'sub.conf', 'two words']);
    expect(ofSample('go', 'x', '')).toEqual(['fast', 'slow']);
    expect(ofSample('go', '-d', '')).toEqual(['sub']);
    expect(ofSample('go', '--word', '')).toEqual([]);
    expect(ofSample('go', 'x', 'fast', '')).toEqual([]);
  });
});

test('zsh', () => {
  const script = zshCompletion(sample);
  expect(script.startsWith('#compdef sample\n')).toBe(true);
  expect(script).toContain(`    'go:go [there], don'\\''t stop'\n`);
  expect(script).toContain(`
    go)
      _arguments \\
        '(-d --dir)-d[a folder]:DIR:_files -/' '(-d --dir)--dir[a folder]:DIR:_files -/' \\
        '--word[a word]:WORD: ' \\
        '--no-host[not the host]' \\
        '(-h --help)-h[display help for command]' '(-h --help)--help[display help for command]' \\
        '--json[JSON]' \\
        '1:NETNS:_files' \\
        '2::how:(fast slow)'
      ;;
`);
});

test('fish', () => {
  const lines = fishCompletion(sample).split('\n');
  expect(lines).toEqual(
    expect.arrayContaining([
      'complete -c sample -f',
      "complete -c sample -l json -d 'JSON'",
      "complete -c sample -n __fish_use_subcommand -a go -d 'go [there], don\\'t stop'",
      "complete -c sample -n '__fish_seen_subcommand_from go' -s d -l dir -r -a '(__fish_complete_directories)' -d 'a folder'",
      "complete -c sample -n '__fish_seen_subcommand_from go' -l word -r -d 'a word'",
      "complete -c sample -n '__fish_seen_subcommand_from go' -F",
      "complete -c sample -n '__fish_seen_subcommand_from go' -a 'fast slow'",
    ]),
  );
});

const has = (tool: string): boolean => spawnSync(tool, ['--version']).status === 0;

describe.each([
  ['zsh', zshCompletion, '_', ''],
  ['fish', fishCompletion, '', '.fish'],
])('%s', (shell, scriptOf, before, after) => {
  const isThere = has(shell);
  if (!isThere) console.warn(`skipped: there is no ${shell} here`);

  /** What the shell completes the last word of a line with. */
  const complete = (line: string): string[] => {
    const folder = mkdtempSync(join(tmpdir(), 'plumb-complete-'));
    try {
      for (const model of [program, sample])
        writeFileSync(join(folder, `${before}${model.name}${after}`), scriptOf(model));
      const argv =
        shell === 'zsh'
          ? ['zsh', '-f', join(import.meta.dirname, '../support/complete.zsh'), folder, line]
          : ['fish', '--no-config', '-c', `for f in *.fish; source $f; end; complete -C "${line}"`];
      const [file = '', ...args] = argv;
      const output = execFileSync(file, args, {
        cwd: folder,
        encoding: 'utf8',
        env: { ...process.env, HOME: folder },
      });
      return output
        .split('\n')
        .flatMap((match) => match.split('\t', 1))
        .filter(Boolean)
        .sort();
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
  test.skipIf(!isThere)('completes by its script', () => {
    expect(complete('plumb unin')).toEqual(['uninstall']);
    expect(complete('plumb ')).toEqual(names.toSorted());
    expect(complete('plumb completion ')).toEqual(['bash', 'fish', 'zsh']);
    expect(complete('plumb help unin')).toEqual(['uninstall']);
    expect(complete('plumb ls --js')).toEqual(['--json']);
    expect(complete('sample go --di')).toEqual(['--dir']);
  });
});

describe('the manual page', () => {
  const page = manualPage(program, '1.2.3');
  const ofSample = manualPage(sample, '1.2.3');

  test('has the sections of one, every command, every option and every exit code', () => {
    expect([...page.matchAll(/^\.SH (.*)$/gm)].map(([, title]) => title)).toEqual([
      ...['NAME', 'SYNOPSIS', 'DESCRIPTION', 'OPTIONS', 'COMMANDS', 'EXIT STATUS', 'FILES', 'SEE ALSO'],
    ]);
    const commands = [...page.matchAll(/^\.SS "plumb (\S+?)[ "]/gm)].map(([, name]) =>
      name?.replaceAll('\\', ''),
    );
    expect(commands).toEqual(names);
    const plain = page.replaceAll('\\-', '-');
    for (const { options } of program.commands)
      for (const { flags } of options) for (const flag of flags) expect(plain).toContain(`\\fB${flag}\\fR`);
    for (const [code, meaning] of Object.entries(EXIT_MEANINGS))
      expect(plain.toLowerCase()).toContain(`.b ${code}\n${meaning.toLowerCase()}.\n`);
  });

  test('has nothing in it that roff would take for its own', () => {
    expect(ofSample).toContain('\n\\&.where to.\n');
    expect(ofSample).toContain('\\fB\\-d\\fR, \\fB\\-\\-dir\\fR \\fIDIR\\fR\nA folder (/tmp without it).');
    expect(ofSample).toContain('.SS "sample go [OPTION...] NETNS [how]"');
    expect(page).toMatch(/^[\n -~]+$/);
  });

  test('is formatted without a warning', () => {
    if (!has('groff')) return void console.warn('skipped: there is no groff here');
    for (const text of [page, ofSample]) {
      const { status, stdout, stderr } = spawnSync('groff', ['-man', '-ww', '-Tascii', '-P-cbou'], {
        input: text,
        encoding: 'utf8',
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain('EXIT STATUS');
    }
  });
});
