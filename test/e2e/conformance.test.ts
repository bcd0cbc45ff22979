import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { EXECUTABLES, executable, isEverything } from '../support/plugin.ts';
import { REFERENCE, shared } from '../support/shared.ts';

const runner = shared('conformance/conformance.py');
// What depends on the runtime inside; the rest is the same program, whose every case the first executable passes.
const OF_THE_RUNTIME = ['version-*', 'parallel-*', 'crash-*', 'args-*', 'status-*'];

interface Report {
  readonly passed: number;
  readonly cases: readonly { readonly name: string; readonly status: string; readonly why: string }[];
}

describe.skipIf(runner.missing)('the CNI conformance runner', () => {
  test.each(EXECUTABLES)('passes every case with %s', (name) => {
    const only = name === 'plumb' || isEverything() ? [] : OF_THE_RUNTIME.flatMap((glob) => ['--only', glob]);
    const { stdout } = spawnSync(
      'python3',
      [
        runner.path,
        '--plugin',
        executable(name),
        '--type',
        'plumb',
        '--cni-path',
        REFERENCE,
        '--json',
        ...only,
      ],
      { encoding: 'utf8', maxBuffer: 2 ** 26 },
    );
    const report: Report = JSON.parse(stdout);
    expect(report.cases.filter(({ status }) => status === 'FAIL')).toEqual([]);
    expect(report.passed).toBeGreaterThan(only.length === 0 ? 400 : 25);
  });
});
