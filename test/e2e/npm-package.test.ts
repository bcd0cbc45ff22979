import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Consumer, makeConsumer } from '../support/consumer.ts';
import { makeNetns, type Netns, run } from '../support/netns.ts';

const root = join(import.meta.dirname, '../..');
let consumer: Consumer;

beforeAll(async () => {
  consumer = await makeConsumer();
});
afterAll(() => consumer.remove());

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** A program that runs as it is, and is TypeScript as well. */
interface Example {
  readonly name: string;
  /** Shell commands that stand before it. */
  readonly before: string;
  readonly program: string;
  readonly output: string;
}

/** The programs of a page, each with the output that stands below it. */
function examples(page: string): Example[] {
  const found: Example[] = [];
  let heading = page;
  let before = '';
  let program: string | undefined;
  for (const [, title, language, text = ''] of read(page).matchAll(
    /^#+ (.*)$|^```(\w+)\n([\s\S]*?)^```$/gm,
  )) {
    if (title !== undefined) heading = `${page}: ${title}`;
    else if (language === 'sh') before = text;
    else if (language === 'ts') program = text;
    else if (language === 'text' && program !== undefined) {
      found.push({ name: `${heading} (${found.length + 1})`, before, program, output: text });
      program = undefined;
      before = '';
    }
  }
  return found;
}

/** Versions of Node from 22 on, other than the one that runs the tests, on PATH. */
function olderNodes(): string[] {
  const nodes = (process.env['PATH'] ?? '').split(':').map((folder) => join(folder, 'node'));
  return [...new Set(nodes)].filter((node) => {
    if (!existsSync(node)) return false;
    const version = run(node, '--version').trim();
    return version !== process.version && Number(/^v(\d+)/.exec(version)?.[1]) >= 22;
  });
}

const GUIDE = [...examples('docs/netlink.md'), ...examples('README.md')];
const OLDER = olderNodes();

test('the package has the library, with types, guide and licence, and nothing of the plugin', () => {
  const files = run('tar', '--list', '--file', consumer.tarball).trim().split('\n').sort();
  const declarations = files.filter((file) => file.endsWith('.d.ts'));
  expect(files.filter((file) => !declarations.includes(file))).toEqual(
    ['CHANGELOG.md', 'LICENSE', 'README.md', 'api.md', 'netlink.js', 'package.json'].map(
      (f) => `package/${f}`,
    ),
  );
  expect(declarations).toContain('package/types/netlink/index.d.ts');
  expect(declarations.filter((file) => /\/types\/(?!netlink\/|sys\/|errors\.d)/.test(file))).toEqual([]);
  const manifest: unknown = JSON.parse(
    readFileSync(join(consumer.folder, 'node_modules/plumb/package.json'), 'utf8'),
  );
  expect(manifest).toMatchObject({
    name: 'plumb',
    version: JSON.parse(read('package.json')).version,
    engines: { node: '>=22' },
    cpu: ['x64', 'arm64'],
    dependencies: { koffi: JSON.parse(read('package.json')).dependencies.koffi },
  });
  expect(manifest).not.toHaveProperty('scripts');
  expect(manifest).not.toHaveProperty('devDependencies');
});

describe('types', () => {
  test('a strict program without the types of Node', () => {
    consumer.write(
      'strict.ts',
      `import { connect, type Link, listLinks, NetlinkError } from 'plumb/netlink';
       import { connect as same } from 'plumb';
       const names: string[] = listLinks(connect()).map((link: Link): string => link.name);
       const open: typeof connect = same;
       export const codes = (error: unknown): string | undefined => (error instanceof NetlinkError ? error.code : undefined);
       export { names, open };`,
    );
    consumer.typeCheck(['strict.ts'], []);
  });
  test('what is wrong is refused', () => {
    consumer.write('wrong.ts', `import { connect } from 'plumb/netlink';\nconnect({ netnsFd: 'blue' });\n`);
    expect(() => consumer.typeCheck(['wrong.ts'], [])).toThrow(/wrong\.ts\(2,11\): error TS2322/);
  });
  test('every program of the guide', () => {
    GUIDE.forEach(({ program }, i) => {
      consumer.write(`example-${i}.ts`, program);
    });
    consumer.typeCheck(
      GUIDE.map((_, i) => `example-${i}.ts`),
      ['node'],
    );
  });
});

describe('the programs of the guide print what it says', () => {
  let host: Netns;
  beforeEach(() => {
    host = makeNetns();
    run('ip', 'netns', 'add', 'blue');
  });
  afterEach(() => {
    run('ip', 'netns', 'del', 'blue');
    host.remove();
  });

  function output(node: string, { before, program }: Example): string {
    consumer.write('program.js', program);
    run('ip', 'netns', 'exec', host.name, 'sh', '-euc', before);
    const { stdout, stderr } = spawnSync('ip', ['netns', 'exec', host.name, node, 'program.js'], {
      cwd: consumer.folder,
      encoding: 'utf8',
    });
    return stdout + stderr;
  }

  test('there are as many as there should be', () => {
    expect(GUIDE.length).toBeGreaterThanOrEqual(13);
    for (const page of ['docs/netlink.md', 'README.md']) {
      const programs = read(page).match(/^```ts$/gm)?.length;
      expect(GUIDE.filter(({ name }) => name.startsWith(page))).toHaveLength(programs ?? 0);
    }
  });
  test.each(GUIDE)('$name', (example) => {
    expect(output(process.execPath, example)).toBe(example.output);
  });
  describe.skipIf(OLDER.length === 0)(
    OLDER.length === 0 ? 'on an older Node (skipped: none from 22 on is on PATH)' : 'on an older Node',
    () => {
      const cases = OLDER.flatMap((node) => GUIDE.map((example) => ({ node, example, name: example.name })));
      test.each(cases)('$node: $name', ({ node, example }) => {
        expect(output(node, example)).toBe(example.output);
      });
    },
  );
});

describe('where koffi lies', () => {
  const program = `import { listAllLinks } from 'plumb/netlink'; console.log(listAllLinks().map((link) => link.name));`;
  const attempt = (): string => {
    consumer.write('koffi.js', program);
    const { stdout, stderr } = spawnSync('unshare', ['--net', process.execPath, 'koffi.js'], {
      cwd: consumer.folder,
      encoding: 'utf8',
    });
    return stdout + stderr;
  };
  const modules = (path: string): string => join(consumer.folder, 'node_modules', path);
  const move = (from: string, to: string): void => {
    mkdirSync(dirname(to), { recursive: true });
    renameSync(from, to);
  };

  test('without its native part the error says what is missing', () => {
    renameSync(modules('@koromix'), modules('.away'));
    expect(attempt()).toContain('Error: cannot load @koromix/koffi-linux-x64, the native part of koffi');
    renameSync(modules('.away'), modules('@koromix'));
    expect(attempt()).toBe("[ 'lo' ]\n");
  });

  // The last one: it leaves the project like this.
  test('as pnpm lays it out, where a package finds its own dependencies only', () => {
    const store = '.pnpm/koffi/node_modules';
    move(modules('koffi'), modules(`${store}/koffi`));
    move(modules('@koromix'), modules(`${store}/@koromix`));
    move(modules('plumb'), modules('.pnpm/plumb/node_modules/plumb'));
    symlinkSync(modules(`${store}/koffi`), modules('.pnpm/plumb/node_modules/koffi'));
    symlinkSync(modules('.pnpm/plumb/node_modules/plumb'), modules('plumb'));
    expect(attempt()).toBe("[ 'lo' ]\n");
  });
});

describe('on arm64', () => {
  const bundle = (): string => readFileSync(join(consumer.folder, 'node_modules/plumb/netlink.js'), 'utf8');

  test('nothing in the bundle names an architecture or calls the kernel by number', () => {
    expect(bundle()).toContain('process.arch');
    expect(bundle()).not.toMatch(/\bx64\b|x86|amd64|\bsyscall: \{ returns/);
  });

  test('the C types in use are as wide as on x64', () => {
    const signatures = [...bundle().matchAll(/returns: "([^"]+)", takes: \[([^\]]*)\]/g)];
    const types = signatures.flatMap(([, returns = '', takes = '']) => [
      returns,
      ...[...takes.matchAll(/"([^"]+)"/g)].map(([, type = '']) => type),
    ]);
    expect(signatures.length).toBeGreaterThan(20);
    // LP64 on both, and nothing whose sign or width is the platform's choice: char, wchar_t, long double.
    const same = ['int', 'uint32_t', 'int64_t', 'size_t', 'unsigned long', 'uint8_t *', 'void'];
    expect([...new Set(types)].filter((type) => !same.includes(type))).toEqual([]);
  });

  test.skipIf(!existsSync('/usr/include/asm-generic/fcntl.h'))(
    'flags and socket options are those of asm-generic, and none that arm64 has otherwise',
    () => {
      const headers = ['fcntl', 'socket', 'errno-base', 'errno', 'ioctls']
        .map((name) => readFileSync(`/usr/include/asm-generic/${name}.h`, 'utf8'))
        .join('\n');
      const generic = new Map(
        [...headers.matchAll(/^#define\s+(\w+)\s+(0x[0-9a-fA-F]+|\d+)\b/gm)].map(
          ([, name = '', value = '']) => [
            name,
            /^0\d/.test(value) ? Number.parseInt(value, 8) : Number(value),
          ],
        ),
      );
      const sources = globSync('{netlink/**,sys}/*.ts', { cwd: join(root, 'src') })
        .filter((file) => bundle().includes(`// src/${file}\n`))
        .map((file) => read(`src/${file}`))
        .join('\n');
      const ours = [
        ...sources.matchAll(/^(?:export )?const ((?:O|SO|SOL|E)_?[A-Z0-9]*) = (0o?x?[0-9a-f]+|\d+);/gm),
      ].map(([, name = '', value = '']) => [name, Number(value)] as const);
      const known = ours.filter(([name]) => generic.has(name));
      expect(known.map(([name]) => name)).toEqual(
        expect.arrayContaining(['O_CLOEXEC', 'O_CREAT', 'SOL_SOCKET', 'SO_RCVBUFFORCE', 'ENOENT']),
      );
      expect(known.filter(([name, value]) => generic.get(name) !== value)).toEqual([]);
      // arch/arm64/include/uapi/asm/fcntl.h
      const differing = ['O_DIRECTORY', 'O_NOFOLLOW', 'O_DIRECT', 'O_LARGEFILE', 'O_TMPFILE'];
      expect(ours.filter(([name]) => differing.includes(name))).toEqual([]);
    },
  );
});
