/**
 * Compiles the JSON Schemas into validators that need nothing at run time: src/<room>/generated/validate-*.js and
 * their types. ajv writes the code, esbuild folds the few helpers of ajv into it.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import standaloneModule from 'ajv/dist/standalone/index.js';
import { buildSync } from 'esbuild';
import { matcher } from '../src/cni/patterns.ts';
import { briefValidators } from './lib/brief-validators.ts';

// ajv is CommonJS, whose default export reaches an ES module as a property.
const standaloneCode = standaloneModule.default;
const root = dirname(import.meta.dirname);

/** One generated module: the schema's file, and each exported validator with its place in the schema and type. */
interface Output {
  readonly schema: string;
  /** The room below src/ that the validators belong to. */
  readonly room: string;
  /** The module that declares the validated types. */
  readonly types: string;
  readonly module: string;
  readonly validators: readonly { readonly name: string; readonly pointer: string; readonly type: string }[];
}

// Patterns are matched by functions; one that has none is an error here.
const regExp = Object.assign(
  (pattern: string) => {
    matcher(pattern);
    return new RegExp(pattern);
  },
  { code: 'matcher' },
);

const OUTPUTS: readonly Output[] = [
  {
    schema: 'network-config',
    room: 'cni',
    types: '../raw.ts',
    module: 'validate-config',
    validators: [
      { name: 'validateConfig', pointer: '', type: 'RawConfig' },
      { name: 'isHostLocal', pointer: '#/definitions/hostLocal', type: 'RawHostLocal' },
      { name: 'isStatic', pointer: '#/definitions/static', type: 'RawStatic' },
    ],
  },
  {
    schema: 'result',
    room: 'cni',
    types: '../raw.ts',
    module: 'validate-result',
    validators: [
      { name: 'validateResult020', pointer: '#/definitions/result020', type: 'RawResult020' },
      { name: 'validateResult030', pointer: '#/definitions/result030', type: 'RawResult' },
      { name: 'validateResult100', pointer: '#/definitions/result100', type: 'RawResult' },
    ],
  },
  {
    schema: 'attachment-record',
    room: 'state',
    types: '../record.ts',
    module: 'validate-record',
    validators: [{ name: 'isAttachmentRecord', pointer: '', type: 'AttachmentRecord' }],
  },
];

function generate(output: Output): void {
  const file = `${output.schema}.schema.json`;
  const schema: unknown = JSON.parse(readFileSync(join(root, 'schemas', file), 'utf8'));
  if (typeof schema !== 'object' || schema === null) throw new Error(`${file} holds no object`);
  // verbose puts the schema's part that refused, with its description, into the error; a $ref stays a call, as
  // code that is repeated at each place would have to be loaded at each start.
  const ajv = new Ajv({
    code: { source: true, esm: true, optimize: 2, regExp },
    strictTypes: false,
    verbose: true,
    messages: false,
    inlineRefs: false,
  });
  ajv.addSchema(withPartsApart(withoutNotes(schema)));
  const outFolder = join(root, 'src', output.room, 'generated');
  mkdirSync(join(outFolder, 'brief'), { recursive: true });
  const refs = Object.fromEntries(output.validators.map(({ name, pointer }) => [name, `${file}${pointer}`]));
  const code = standaloneCode(ajv, refs);
  const write = (path: string, text: string): void =>
    writeFileSync(join(outFolder, path), `// Generated from schemas/${file}.\n${fold(text)}`);
  write(`${output.module}.js`, code);
  // For the executables' small bundle: says yes or no.
  write(`brief/${output.module}.js`, briefValidators(code));
  writeFileSync(join(outFolder, `${output.module}.d.ts`), types(output));
}

/** Puts what ajv's code imports into it. */
function fold(code: string): string {
  const { outputFiles } = buildSync({
    stdin: {
      contents: `import { matcher } from './src/cni/patterns.ts';\n${code}`,
      resolveDir: root,
      loader: 'js',
    },
    bundle: true,
    minifySyntax: true,
    minifyWhitespace: true,
    format: 'esm',
    platform: 'node',
    write: false,
    logLevel: 'warning',
  });
  return outputFiles[0]?.text ?? '';
}

/** Keywords that say something to people and nothing to validators, which would carry them along. */
const NOTES = ['title', 'default', 'examples'];

function withoutNotes(node: object): object {
  const entries = Object.entries(node).flatMap(([key, value]): [string, unknown][] => {
    if (NOTES.includes(key) && !PROPERTY_MAPS.has(node)) return [];
    if (typeof value !== 'object' || value === null) return [[key, value]];
    if (key === 'properties') PROPERTY_MAPS.add(value);
    return [[key, withoutNotes(value)]];
  });
  return Array.isArray(node) ? entries.map(([, value]) => value) : Object.fromEntries(entries);
}

/**
 * Makes a definition of each object that is the value of a property, which becomes a function of its own: engines load
 * a function as a whole, and only when it is called.
 */
function withPartsApart(schema: object): object {
  const definitions: Record<string, unknown> = {};
  const apart = (node: unknown, pointer: string): unknown => {
    if (typeof node !== 'object' || node === null) return node;
    if (Array.isArray(node)) return node.map((item, i) => apart(item, `${pointer}.${i}`));
    return Object.fromEntries(
      Object.entries(node).map(([key, value]) => {
        const place = `${pointer}.${key}`;
        if (key !== 'properties') return [key, apart(value, place)];
        return [
          key,
          Object.fromEntries(
            Object.entries(value).map(([name, part]) => [name, partOf(part, `${place}.${name}`)]),
          ),
        ];
      }),
    );
  };
  const partOf = (part: unknown, place: string): unknown => {
    const made = apart(part, place);
    if (
      typeof made !== 'object' ||
      made === null ||
      (!('properties' in made) && JSON.stringify(made).length < 150)
    )
      return made;
    definitions[place] = made;
    return { $ref: `#/definitions/${place}` };
  };
  const whole = apart(schema, 'part');
  if (typeof whole !== 'object' || whole === null) throw new Error('a schema is an object');
  const own = 'definitions' in whole && typeof whole.definitions === 'object' ? whole.definitions : {};
  return { ...whole, definitions: { ...own, ...definitions } };
}

/** Objects whose keys are names of properties and not keywords. */
const PROPERTY_MAPS = new WeakSet<object>();

function types(output: Output): string {
  const names = [...new Set(output.validators.map(({ type }) => type))].sort();
  const declarations = output.validators.map(
    ({ name, type }) => `export declare const ${name}: Validator<${type}>;\n`,
  );
  return [
    `import type { ${names.join(', ')} } from '${output.types}';\n`,
    `import type { Validator } from '../${output.room === 'cni' ? '' : '../cni/'}validate.ts';\n`,
    ...declarations,
  ].join('');
}

for (const output of OUTPUTS) generate(output);
