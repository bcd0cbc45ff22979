import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exec } from '../support/host.ts';
import { Machine } from '../support/machine.ts';
import { executable } from '../support/plugin.ts';
import { REFERENCE } from '../support/shared.ts';

// Each page's commands are run in their order on a machine of its own, on which the network `pods` has two containers.
// Commands are the lines of indented and of ```sh blocks. One that must not succeed says so: `# exit code 1`. What has to
// be done before one, and the reader does not see, is in a comment: <!-- before: … -->.

const ROOT = join(import.meta.dirname, '../..');
const PAGES = globSync(['README.md', 'docs/*.md'], { cwd: ROOT }).toSorted();

/** Programs that are not run here, and why. */
const NOT_RUN: Readonly<Record<string, string>> = {
  npm: 'has made what is tested',
  'scripts/demo': 'is a test of its own, which makes a machine ready',
  'scripts/test': 'runs this test',
  ctr: 'needs containerd and an image: clients.test.ts runs it',
  podman: 'needs an image: clients.test.ts runs it',
  kubectl: 'needs a cluster',
  systemctl: 'needs systemd',
  journalctl: 'needs systemd',
  'firewall-cmd': 'needs firewalld',
  iptables: 'the machine’s nftables has no table of iptables',
  man: 'shows what cli-describe.test.ts reads',
};

/** What a page needs beside what every machine has. */
const PREPARED: Readonly<Record<string, string>> = {
  'docs/migration.md': `cp ${REFERENCE}/{bridge,host-local,portmap,firewall} /opt/cni/bin/
    cat >/etc/cni/net.d/05-old.conflist <<'END'
{ "cniVersion": "1.0.0", "name": "old", "plugins": [
  { "type": "bridge", "bridge": "cni0", "isDefaultGateway": true, "ipMasq": true,
    "ipam": { "type": "host-local", "ranges": [[{ "subnet": "10.88.0.0/16" }]] } },
  { "type": "portmap", "capabilities": { "portMappings": true } },
  { "type": "firewall" } ] }
END
    ip netns add before
    plumb add old /run/netns/before`,
};

interface Command {
  readonly line: number;
  readonly text: string;
  readonly exitCode: number;
  /** Not for the reader's eyes. */
  readonly hidden?: true;
}

/** The lines of all command blocks, and the comments for this test, in their order. */
function commandsOf(page: string): Command[] {
  const commands: Command[] = [];
  let fence: string | undefined;
  let isBlank = true;
  let isBlock = false;
  for (const [index, text] of readFileSync(join(ROOT, page), 'utf8').split('\n').entries()) {
    const [, mark] = /^ *```(\w*)/.exec(text) ?? [];
    if (mark !== undefined) fence = fence === undefined ? mark : undefined;
    const [, before] = /^ *<!-- before: (.*) -->$/.exec(text) ?? [];
    if (before !== undefined) commands.push({ line: index + 1, text: before, exitCode: 0, hidden: true });
    // What belongs to a point of a list is indented by less.
    isBlock = fence === undefined && text.trim() !== '' && /^ {4}/.test(text) && (isBlank || isBlock);
    isBlank = text.trim() === '';
    if (mark === undefined && (fence === 'sh' || isBlock)) {
      const [, code = '0'] = /# exit code (\d+)/.exec(text) ?? [];
      commands.push({
        line: index + 1,
        text: text.replace(/(^|\s)# .*$/, '').trim(),
        exitCode: Number(code),
      });
    }
  }
  return commands.filter(({ text }) => text !== '');
}

/** `plumb add NETWORK NETNS [--id ID]` says what can be written, and is no command itself. */
const isSynopsis = (text: string): boolean =>
  /^plumb .*(\[--|…|\b[A-Z]{2,}\b)|^\[--/.test(text.replace(/'[^']*'/g, ''));

/** Programs that a line starts. */
const programsOf = (text: string): string[] =>
  text.split(/\s*(?:&&|\|\||\||;)\s*/).map((part) => /^\S*/.exec(part)?.[0] ?? '');

const notRun = (text: string): boolean => programsOf(text).some((program) => Object.hasOwn(NOT_RUN, program));

test.each(Object.keys(NOT_RUN))('%s is left out because the documentation has it', (program) => {
  expect(PAGES.some((page) => commandsOf(page).some(({ text }) => programsOf(text).includes(program)))).toBe(
    true,
  );
});

const pages = PAGES.map((page) => ({ page, commands: commandsOf(page) }));

describe.concurrent('commands in the documentation', () => {
  test.each(pages.filter(({ commands }) => commands.some(({ text }) => !isSynopsis(text))))(
    '$page: every one does what the page says',
    async ({ page, commands }) => {
      const machine = await Machine.make('plumb');
      try {
        await machine.populate();
        await machine.must('cp 10-plumb.conflist my.conflist');
        if (PREPARED[page] !== undefined) await machine.must(PREPARED[page]);
        const failures: string[] = [];
        for (const { line, text, exitCode, hidden } of commands) {
          if (hidden !== true && (isSynopsis(text) || notRun(text))) continue;
          const { status, stdout, stderr } = await machine.run(text);
          if (status !== exitCode)
            failures.push(`${page}:${line}: ${text}: exit code ${status}: ${stderr}${stdout}`);
        }
        expect(failures).toEqual([]);
      } finally {
        await machine.close();
      }
    },
  );
});

describe('plumb in the documentation', () => {
  const help = new Map<string, string>();
  beforeAll(async () => {
    const show = async (...args: string[]): Promise<string> =>
      (await exec([executable('plumb'), ...args, '--help'])).stdout;
    const names = [...(await show()).matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(([, name = '']) => name);
    for (const name of names) help.set(name, await show(name));
    help.set('list', help.get('ls') ?? '');
  });
  afterAll(() => help.clear());

  test.each(pages)('$page: commands and options are those of --help', ({ page, commands }) => {
    const inline = [...readFileSync(join(ROOT, page), 'utf8').matchAll(/`(plumb [^`\n]+)`/g)];
    const texts = [...commands.map(({ text }) => text), ...inline.map(([, text = '']) => text)];
    const faults = texts
      .filter((text) => !notRun(text))
      .flatMap((text) => [...text.matchAll(/(?:^|[\s/(])plumb ([a-z][a-z-]*)([^|;)]*)/g)])
      .flatMap(([call, name = '', rest = '']) => {
        const known = help.get(name);
        if (known === undefined) return [`${call.trim()}: there is no command ${name}`];
        const options = [...rest.matchAll(/--[a-z][a-z-]*/g)].map(([option]) => option);
        return options
          .filter((option) => !new RegExp(`${option}(?![\\w-])`).test(known))
          .map((option) => `${call.trim()}: ${option}`);
      });
    expect(faults).toEqual([]);
  });

  test('configurations that are shown are right', async () => {
    const machine = await Machine.make('plumb');
    try {
      const blocks = PAGES.flatMap((page) =>
        [...readFileSync(join(ROOT, page), 'utf8').matchAll(/^( *)```json\n(.*?)^ *```/gms)]
          .map(([, , text = '']) => text)
          .filter((text) => text.includes('"plugins"'))
          .map((text) => ({ page, text })),
      );
      expect(blocks.length).toBeGreaterThan(1);
      for (const { page, text } of blocks) {
        const { stdout } = await machine.run(`mkdir -p shown; cat >shown/NAME.conflist <<'END'
${text}
END
dist/plumb check-config --no-host --json shown/NAME.conflist`);
        expect({ page, problems: JSON.parse(stdout) }).toMatchObject({ page, problems: [{ problems: [] }] });
      }
    } finally {
      await machine.close();
    }
  });
});
