import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeLibraryPackage, packLibrary } from '../../scripts/lib/library-package.ts';

const root = join(import.meta.dirname, '../..');

/** A project of somebody else's, in a folder of its own, that has the library's package installed. */
export interface Consumer {
  readonly folder: string;
  /** The packed file that was installed. */
  readonly tarball: string;
  /** Type-checks files of the project, as strict as there is; `types` as in tsconfig.json. Throws what tsc says. */
  typeCheck(files: readonly string[], types: readonly string[]): void;
  write(file: string, text: string): void;
  remove(): void;
}

/**
 * Packs the library and installs it by npm into a new project, offline: koffi is given as the folder that it is
 * installed in here, and npm's cache is empty.
 */
export async function makeConsumer(): Promise<Consumer> {
  const base = mkdtempSync(join(tmpdir(), 'plumb-consumer-'));
  const folder = join(base, 'project');
  mkdirSync(folder);
  await makeLibraryPackage(join(base, 'npm'));
  const tarball = packLibrary(join(base, 'npm'), base);
  const write = (file: string, text: string): void => writeFileSync(join(folder, file), text);
  write('package.json', JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  const koffi = ['koffi', '@koromix/koffi-linux-x64'].map((name) => {
    // npm would install symbolic links' targets where they are.
    const copy = join(base, name);
    cpSync(join(root, 'node_modules', name), copy, { recursive: true, dereference: true });
    return copy;
  });
  execFileSync('npm', ['install', '--install-links', ...OFFLINE, tarball, ...koffi], {
    cwd: folder,
    env: { ...process.env, npm_config_cache: join(base, 'cache') },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return {
    folder,
    tarball,
    write,
    typeCheck: (files, types) => {
      write(
        'tsconfig.json',
        JSON.stringify({
          compilerOptions: {
            strict: true,
            noEmit: true,
            target: 'es2022',
            module: 'nodenext',
            skipLibCheck: false,
            exactOptionalPropertyTypes: true,
            noUncheckedIndexedAccess: true,
            typeRoots: [join(root, 'node_modules/@types')],
            types,
          },
          files,
        }),
      );
      try {
        execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8', cwd: folder });
      } catch (error) {
        throw new Error(error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error));
      }
    },
    remove: () => rmSync(base, { recursive: true }),
  };
}

const OFFLINE = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--silent'];
