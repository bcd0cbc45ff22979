// Writes docs/api.md from the docstrings of what src/netlink/index.ts exports; `--check` fails if it is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript-api';

const root = join(import.meta.dirname, '..');
const entry = join(root, 'src/netlink/index.ts');
const page = join(root, 'docs/api.md');

const program = ts.createProgram([entry], {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2024,
  allowImportingTsExtensions: true,
  noEmit: true,
  strict: true,
  types: ['node'],
});
const checker = program.getTypeChecker();

function text(symbol: ts.Symbol): string {
  const parts = [ts.displayPartsToString(symbol.getDocumentationComment(checker))];
  return parts
    .join('')
    .replaceAll(/\{@link (\w+)[^}]*\}/g, '`$1`')
    .trim();
}

/** The declaration without its body, as it stands in the source. */
function signature(declaration: ts.Declaration): string {
  const source = declaration.getSourceFile().text;
  let end = declaration.getEnd();
  if (ts.isFunctionDeclaration(declaration) && declaration.body !== undefined)
    end = declaration.body.getStart();
  if (ts.isClassDeclaration(declaration)) end = source.indexOf('{', declaration.getStart());
  return source
    .slice(declaration.getStart(), end)
    .trim()
    .replace(/^export /, '')
    .replace(/^async /, '');
}

function members(declaration: ts.Declaration): string[] {
  if (!ts.isClassDeclaration(declaration)) return [];
  return declaration.members.filter(ts.isMethodDeclaration).flatMap((method) => {
    const symbol = checker.getSymbolAtLocation(method.name);
    if (symbol === undefined || ts.isPrivateIdentifier(method.name)) return [];
    const head = method.getSourceFile().text.slice(method.getStart(), method.body?.getStart()).trim();
    return [`- \`${head}\` ${text(symbol)}`.trim()];
  });
}

function render(): string {
  const source = program.getSourceFile(entry);
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error(`${entry} is no module`);
  const sections = checker
    .getExportsOfModule(module)
    .map((symbol) =>
      (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol),
    )
    .map((symbol) => {
      const [declaration] = symbol.declarations ?? [];
      const description = text(symbol);
      if (declaration === undefined || description === '') throw new Error(`${symbol.name} has no docstring`);
      const overloads = (symbol.declarations ?? []).filter(
        (one) => ts.isFunctionDeclaration(one) && one.body === undefined,
      );
      const signatures = (overloads.length === 0 ? [declaration] : overloads).map(signature).join('\n');
      const code = `\`\`\`ts\n${signatures}\n\`\`\``;
      return {
        name: symbol.name,
        body: [`## ${symbol.name}`, description, code, ...members(declaration)].join('\n\n'),
      };
    })
    .sort((a, b) => a.name.localeCompare(b.name, 'en'));
  const head =
    '# The netlink library\n\nGenerated from the docstrings of `src/netlink` by `npm run docs`; do not edit.\n';
  return `${head}\n${sections.map((section) => section.body).join('\n\n')}\n`;
}

const fresh = render();
if (process.argv.includes('--check')) {
  if (readFileSync(page, 'utf8') !== fresh) {
    console.error('docs/api.md is not what the docstrings say; run npm run docs');
    process.exit(1);
  }
} else {
  writeFileSync(page, fresh);
}
