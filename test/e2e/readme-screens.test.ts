import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { IDS, Machine } from '../support/machine.ts';
import { INSTALLED } from '../support/plugin.ts';

// The screens in the README are what the commands print on a machine. `UPDATE=1` writes them anew.

const README = join(import.meta.dirname, '../../README.md');

interface Screen {
  readonly name: string;
  /** What was done to the machine, which the README does not show. */
  readonly before?: string;
  readonly commands: readonly string[];
  /** Makes the same of what is different each time. */
  readonly settle?: (text: string) => string;
}

const SCREENS: readonly Screen[] = [
  {
    name: 'ls',
    commands: ['plumb ls'],
    settle: (text) => withCells(text, { RECEIVED: '3.4 MiB', SENT: '208 KiB', AGE: '2h11m' }),
  },
  {
    name: 'show',
    commands: [`plumb show ${IDS.web.slice(0, 6)}`],
    settle: (text) =>
      text
        .replace(/index \d+/, 'index 7')
        .replace(/(received +).*/, '$13.4 MiB in 2655 packets, 0 dropped, 0 errors')
        .replace(/(sent +).*/, '$1208 KiB in 2090 packets, 0 dropped, 0 errors')
        .replace(/(added +).*/, '$12026-01-01T12:00:00.000Z, 2h11m ago'),
  },
  {
    name: 'doctor',
    before: `ip -n db route del default
      nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'`,
    commands: ['plumb doctor'],
  },
  {
    name: 'trace',
    commands: ['plumb trace web 198.51.100.2:443'],
  },
];

/** The table with these columns filled with a value. */
function withCells(table: string, values: Readonly<Record<string, string>>): string {
  const [head = '', ...rows] = table.trimEnd().split('\n');
  const starts = [...head.matchAll(/\S+( \S+)*/g)].map(({ index }) => index);
  const cut = (line: string): string[] =>
    starts.map((start, i) => line.slice(start, starts[i + 1]).trimEnd());
  const heads = cut(head);
  const cells = [heads, ...rows.map((row) => cut(row).map((cell, i) => values[heads[i] ?? ''] ?? cell))];
  const widths = heads.map((_, i) => Math.max(...cells.map((row) => (row[i] ?? '').length)));
  return `${cells
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')}\n`;
}

async function takeScreens(name: string): Promise<Record<string, string>> {
  const machine = await Machine.make(name);
  try {
    await machine.populate();
    const screens: Record<string, string> = {};
    for (const screen of SCREENS) {
      if (screen.before !== undefined) await machine.must(screen.before);
      const parts: string[] = [];
      for (const command of screen.commands) {
        const { stdout, stderr } = await machine.run(command);
        expect(stderr).toBe('');
        parts.push(`# ${command}\n${screen.settle?.(stdout) ?? stdout}`);
      }
      screens[screen.name] = `\`\`\`text\n${parts.join('')}\`\`\``;
    }
    return screens;
  } finally {
    await machine.close();
  }
}

const MARKED = /(<!-- screen: (\w+) -->\n)(.*?)(\n<!-- \/screen -->)/gs;

describe.each(INSTALLED)('screens of the README: %s', (name) => {
  test('are what the commands print', async () => {
    const screens = await takeScreens(name);
    const readme = readFileSync(README, 'utf8');
    if (process.env['UPDATE'] === '1')
      writeFileSync(
        README,
        readme.replace(
          MARKED,
          (_, begin: string, screen: string, _old, end: string) => `${begin}${screens[screen] ?? ''}${end}`,
        ),
      );
    const shown = Object.fromEntries(
      [...readFileSync(README, 'utf8').matchAll(MARKED)].map(([, , screen = '', text]) => [screen, text]),
    );
    expect(shown).toEqual(screens);
  });
});
