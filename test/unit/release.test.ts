import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { billOfMaterials, runtimeParts } from '../../scripts/lib/bill-of-materials.ts';
import { packagesInBundle } from '../../scripts/lib/bundle-packages.ts';
import { changesOf } from '../../scripts/lib/changelog.ts';

describe('changesOf', () => {
  const changelog =
    '# Changelog\n\n## Unreleased\n\n- c\n\n## 1.2.10 (2026-01-02)\n\n- b\n- b2\n\n## 1.2.1\n\n## 1.2\n\n- a\n';
  test('the text of a section, with or without a date', () => {
    expect(changesOf(changelog, '1.2.10')).toBe('- b\n- b2');
    expect(changesOf(changelog, '1.2')).toBe('- a');
  });
  test('a section that is missing, also where another begins like it', () => {
    expect(() => changesOf(changelog, '1.2.1')).toThrow('the section "## 1.2.1" of CHANGELOG.md is empty');
    expect(() => changesOf(changelog, '1')).toThrow(
      'CHANGELOG.md has no section "## 1": "## Unreleased" becomes it',
    );
  });
});

describe('billOfMaterials', () => {
  const npm = {
    components: [
      {
        type: 'library',
        'bom-ref': 'a@1',
        name: 'a',
        version: '1',
        purl: 'pkg:npm/a@1',
        scope: 'optional',
        hashes: [],
      },
      { type: 'library', 'bom-ref': 'a@2', name: 'a', version: '2' },
      { type: 'library', 'bom-ref': 'r@3', name: 'r', version: '3' },
    ],
  };
  const product = { name: 'p', version: '9', license: 'MIT' };

  test('has what is inside, once, and which file has it', () => {
    const bill = billOfMaterials(
      npm,
      product,
      [
        { name: 'x', sha256: '01', packages: ['r@3', 'a@1'] },
        { name: 'y', sha256: '02', packages: ['a@1'] },
      ],
      { 'r@3': { zlib: '1.3' } },
    );
    expect(bill).toMatchObject({
      bomFormat: 'CycloneDX',
      metadata: { component: { name: 'p', version: '9', licenses: [{ license: { id: 'MIT' } }] } },
      components: [
        { type: 'library', 'bom-ref': 'a@1', name: 'a', version: '1', purl: 'pkg:npm/a@1', hashes: [] },
        { name: 'r', components: [{ type: 'library', 'bom-ref': 'r@3#zlib', name: 'zlib', version: '1.3' }] },
      ],
      dependencies: [
        { ref: 'p@9', dependsOn: ['x', 'y'] },
        { ref: 'x', dependsOn: ['r@3', 'a@1'] },
        { ref: 'y', dependsOn: ['a@1'] },
        { ref: 'a@1', dependsOn: [] },
        { ref: 'r@3', dependsOn: [] },
      ],
    });
    expect(JSON.stringify(bill)).not.toMatch(/scope|timestamp|serialNumber/);
  });

  test('a package that npm does not know', () => {
    const artefact = { name: 'x', sha256: '01', packages: ['b@1'] };
    expect(() => billOfMaterials(npm, product, [artefact], {})).toThrow("npm's bill of materials has no b@1");
    expect(() => billOfMaterials({}, product, [artefact], {})).toThrow('npm sbom gives no components');
  });
});

test('runtimeParts: no interface numbers, nothing that is empty or pretended', () => {
  const versions = { node: '26.0.0', zlib: '1.3', modules: '147', napi: '10', nghttp3: '' };
  expect(runtimeParts(versions, ['node'])).toEqual({ zlib: '1.3' });
});

describe('packagesInBundle', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'plumb-bundle-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  test('those of which something is in it, in the version that is', async () => {
    for (const [folder, name] of [
      ['node_modules/@s/used', '@s/used'],
      ['node_modules/@s/used/node_modules/inner', 'inner'],
      ['node_modules/unused', 'unused'],
    ] as const) {
      mkdirSync(join(root, folder), { recursive: true });
      writeFileSync(
        join(root, folder, 'package.json'),
        JSON.stringify({ name, version: '1.0.0', sideEffects: false }),
      );
    }
    writeFileSync(
      join(root, 'node_modules/@s/used/index.js'),
      `export { inner } from 'inner'; export const own = 1;`,
    );
    writeFileSync(
      join(root, 'node_modules/@s/used/node_modules/inner/index.js'),
      'export const inner = Math.random();',
    );
    writeFileSync(join(root, 'node_modules/unused/index.js'), 'export const unused = 1;');
    writeFileSync(
      join(root, 'main.js'),
      `import { inner, own } from '@s/used'; import { unused } from 'unused'; console.log(inner, own);`,
    );
    const { metafile } = await build({
      absWorkingDir: root,
      entryPoints: ['main.js'],
      bundle: true,
      write: false,
      outfile: 'out.js',
      metafile: true,
    });
    expect(packagesInBundle(metafile, root).toSorted()).toEqual(['@s/used@1.0.0', 'inner@1.0.0']);
  });
});
