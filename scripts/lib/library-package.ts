import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { build } from 'esbuild';
import manifest from '../../package.json' with { type: 'json' };

const root = join(import.meta.dirname, '../..');
const entry = 'netlink/index.ts';

/** package.json of the library's package: what it shares with the repository's own is taken from there. */
export function libraryManifest(): object {
  const { name, version, license, type, os, dependencies } = manifest;
  const face = { types: './types/netlink/index.d.ts', default: './netlink.js' };
  return {
    name,
    version,
    description: 'A synchronous rtnetlink library for Node',
    keywords: [
      'netlink',
      'rtnetlink',
      'linux',
      'network',
      'namespace',
      'veth',
      'conntrack',
      'traffic control',
    ],
    // The name is another package's in npm's registry: this one is installed from its file.
    private: true,
    license,
    type,
    sideEffects: false,
    engines: { node: '>=22' },
    os,
    // Little-endian with 64 bits, which is what the wire formats and C types here count on.
    cpu: ['x64', 'arm64'],
    exports: { '.': face, './netlink': face, './package.json': './package.json' },
    dependencies,
  };
}

/** The declarations that `entry` leads to, by path, with imports of what will be there: `.js`. */
function declarations(folder: string): Map<string, string> {
  const found = new Map<string, string>();
  const follow = (path: string): void => {
    if (found.has(path)) return;
    const text = readFileSync(join(folder, path), 'utf8').replaceAll(
      /((?:from |import\()["'])(\.[^"']+)\.ts(?=["'])/g,
      '$1$2.js',
    );
    found.set(path, text);
    for (const [, target = ''] of text.matchAll(/(?:from |import\()["'](\.[^"']+)\.js["']/g))
      follow(posix.join(posix.dirname(path), `${target}.d.ts`));
  };
  follow(entry.replace(/\.ts$/, '.d.ts'));
  return found;
}

function emitDeclarations(folder: string): void {
  const config = join(folder, 'tsconfig.json');
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(root, 'tsconfig.json'),
      compilerOptions: {
        noEmit: false,
        declaration: true,
        emitDeclarationOnly: true,
        rootDir: join(root, 'src'),
        outDir: folder,
        typeRoots: [join(root, 'node_modules/@types')],
      },
      include: [],
      files: [join(root, 'src', entry)],
    }),
  );
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', config], { stdio: 'inherit' });
}

/**
 * Makes the library's package as a folder, in place of what is at `target`: one bundle without dependencies but koffi,
 * declarations, guide, API page, licence and changelog. The same sources make the same bytes.
 */
export async function makeLibraryPackage(target: string): Promise<void> {
  mkdirSync(dirname(target), { recursive: true });
  const work = mkdtempSync(join(dirname(target), '.npm-'));
  try {
    const result = join(work, 'package');
    mkdirSync(result);
    await build({
      absWorkingDir: root,
      entryPoints: [join(root, 'src', entry)],
      outfile: join(result, 'netlink.js'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node22',
      packages: 'external',
    });
    mkdirSync(join(work, 'types'));
    emitDeclarations(join(work, 'types'));
    for (const [path, text] of declarations(join(work, 'types'))) {
      const file = join(result, 'types', path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    writeFileSync(join(result, 'package.json'), `${JSON.stringify(libraryManifest(), undefined, 2)}\n`);
    copyFileSync(join(root, 'docs/netlink.md'), join(result, 'README.md'));
    for (const file of ['docs/api.md', 'LICENSE', 'CHANGELOG.md'])
      copyFileSync(join(root, file), join(result, posix.basename(file)));
    rmSync(target, { recursive: true, force: true });
    renameSync(result, target);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** Packs a folder that {@link makeLibraryPackage} made by `npm pack` into another; returns the file's path. */
export function packLibrary(folder: string, destination: string): string {
  execFileSync('npm', ['pack', folder, '--silent', '--pack-destination', destination], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return join(destination, `${manifest.name}-${manifest.version}.tgz`);
}
