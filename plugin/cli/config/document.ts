import { getNodeValue, type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';
import { errorMessage } from '../../../src/errors.ts';
import type { Path } from './path.ts';

/** A place in a file, both counted from 1, as editors do. The column counts UTF-16 units. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** What is wrong with a text that is to be JSON. */
export interface SyntaxFault extends Place {
  readonly message: string;
}

/** A text, what it says as JSON, and where in it. */
export class ConfigDocument {
  /** The value; undefined when there are {@link syntaxFaults}. */
  readonly value: unknown;
  readonly syntaxFaults: readonly SyntaxFault[];
  readonly #text: string;
  readonly #root: Node | undefined;

  constructor(text: string) {
    this.#text = text;
    const errors: ParseError[] = [];
    this.#root = parseTree(text, errors, { disallowComments: true, allowTrailingComma: false });
    this.syntaxFaults = text.trim() === '' ? [{ ...START, message: EMPTY }] : this.#faults(errors);
    this.value =
      this.syntaxFaults.length > 0 || this.#root === undefined ? undefined : getNodeValue(this.#root);
  }

  /** Where the value at `path` stands, or what is nearest above it. */
  placeOfValue(path: Path): Place {
    return this.#place(this.#nearest(path).offset);
  }

  /** Where the key stands that `path` ends with, or what is nearest above it. */
  placeOfKey(path: Path): Place {
    const node = this.#nearest(path);
    const isProperty = node.parent?.type === 'property' && node.parent.children?.[1] === node;
    return this.#place(isProperty ? node.parent.offset : node.offset);
  }

  /** Every key that stands twice in one object: the later one, which counts. */
  duplicateKeys(): { readonly key: string; readonly place: Place; readonly earlier: Place }[] {
    const found: { key: string; place: Place; earlier: Place }[] = [];
    const visit = (node: Node): void => {
      const seen = new Map<string, number>();
      for (const child of node.children ?? []) {
        const key = node.type === 'object' ? child.children?.[0]?.value : undefined;
        if (typeof key === 'string') {
          const earlier = seen.get(key);
          if (earlier !== undefined)
            found.push({ key, place: this.#place(child.offset), earlier: this.#place(earlier) });
          seen.set(key, child.offset);
        }
        visit(child);
      }
    };
    if (this.#root !== undefined) visit(this.#root);
    return found;
  }

  // findNodeAtLocation takes the first of two equal keys, and the last is the one that counts.
  #nearest(path: Path): Node {
    let node = this.#root ?? NOTHING;
    for (const step of path) {
      const next =
        typeof step === 'number'
          ? node.children?.[step]
          : node.children?.findLast((child) => child.children?.[0]?.value === step)?.children?.[1];
      if (next === undefined) break;
      node = next;
    }
    return node;
  }

  #faults(errors: readonly ParseError[]): SyntaxFault[] {
    // One slip is told once, though the parser trips over it twice.
    const faults = errors
      .filter(({ offset }, i) => offset !== errors[i - 1]?.offset)
      .map(({ error, offset }) => ({
        ...this.#place(offset),
        message: SYNTAX[printParseErrorCode(error)] ?? printParseErrorCode(error),
      }));
    if (faults.length > 0) return faults;
    try {
      JSON.parse(this.#text);
      return [];
    } catch (error) {
      return [{ ...START, message: `not JSON: ${errorMessage(error)}` }];
    }
  }

  #place(offset: number): Place {
    const before = this.#text.slice(0, offset);
    const lineStart = before.lastIndexOf('\n') + 1;
    return { line: before.split('\n').length, column: offset - lineStart + 1 };
  }
}

const START: Place = { line: 1, column: 1 };
const NOTHING: Node = { type: 'null', offset: 0, length: 0 };
const EMPTY = 'the file is empty; a JSON object is needed';

const SYNTAX: Readonly<Record<string, string>> = {
  InvalidSymbol:
    'this is no JSON value; texts stand in double quotes, others are true, false, null and numbers',
  InvalidNumberFormat: 'this is no number as JSON has them',
  PropertyNameExpected: 'a key in double quotes is missing here; there may be a comma too much before it',
  ValueExpected: 'a value is missing here; there may be a comma too much before it',
  ColonExpected: 'a colon is missing between key and value',
  CommaExpected: 'a comma is missing before this',
  CloseBraceExpected: 'a } is missing: an object is not closed',
  CloseBracketExpected: 'a ] is missing: a list is not closed',
  EndOfFileExpected: 'there is something behind the end of the document; one file holds one',
  InvalidCommentToken: 'JSON has no comments; take it out',
  UnexpectedEndOfComment: 'JSON has no comments; take it out',
  UnexpectedEndOfString: 'a text is not closed; " is missing',
  UnexpectedEndOfNumber: 'this is no number as JSON has them',
  InvalidUnicode: 'behind \\u there must be four hexadecimal digits',
  InvalidEscapeCharacter: 'a \\ in a text must be written \\\\',
  InvalidCharacter: 'a character that may not stand here; line breaks in texts are written \\n',
};
