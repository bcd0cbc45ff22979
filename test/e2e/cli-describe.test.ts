import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bashCompletion } from '../../plugin/cli/describe/bash.ts';
import { manualPage } from '../../plugin/cli/describe/man.ts';
import { describeProgram } from '../../plugin/cli/describe/model.ts';
import { buildProgram } from '../../plugin/cli/main.ts';
import { Output } from '../../plugin/cli/output.ts';
import { VERSION } from '../../plugin/cli/version.ts';
import { exec } from '../support/host.ts';
import { executable, INSTALLED } from '../support/plugin.ts';

// What the executables tell of themselves; that it is right is in the unit tests.

const program = describeProgram(buildProgram(new Output()));

describe.each(INSTALLED)('%s', (name) => {
  const path = executable(name);

  test('schema is the file in schemas/', async () => {
    const { status, stdout, stderr } = await exec([path, 'schema']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toBe(readFileSync(join(import.meta.dirname, '../../schemas/plumb.schema.json'), 'utf8'));
  });

  test('completion and man', async () => {
    expect(await exec([path, 'completion', 'bash'])).toEqual({
      status: 0,
      stdout: bashCompletion(program),
      stderr: '',
    });
    expect(await exec([path, 'man'])).toEqual({
      status: 0,
      stdout: manualPage(program, VERSION),
      stderr: '',
    });
    const refused = await exec([path, 'completion', 'csh']);
    expect(refused).toMatchObject({ status: 2, stdout: '' });
    expect(refused.stderr).toContain('bash, zsh, fish');
  });

  test('bash completes by it', async () => {
    const script = `source <("$1" completion bash); COMP_WORDS=(plumb unin) COMP_CWORD=1; _plumb; echo "$COMPREPLY"`;
    expect(await exec(['bash', '--norc', '-c', script, 'bash', path])).toEqual({
      status: 0,
      stdout: 'uninstall\n',
      stderr: '',
    });
  });
});
