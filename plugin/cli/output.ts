import { styleText } from 'node:util';
import { CniError } from '../../src/cni/error.ts';
import { errorMessage, isErrno } from '../../src/errors.ts';
import { readEnvironment } from '../../src/sys/environment.ts';
import { ExitCode } from './exit-code.ts';

type Style = Parameters<typeof styleText>[0];

/** What a command prints: text for people, or JSON for programs. Colours only on a terminal, and not if NO_COLOR is set. */
export class Output {
  exitCode: number = ExitCode.ok;
  #json = false;

  setJson(json: boolean): void {
    this.#json = json;
  }

  /** Whether JSON is asked for: then {@link data} is all that is printed to standard output. */
  get json(): boolean {
    return this.#json;
  }

  /** Prints a value: as JSON, or by `text` where people read it. */
  data(value: unknown, text: () => string): void {
    process.stdout.write(this.#json ? `${JSON.stringify(value, undefined, 2)}\n` : `${text()}\n`);
  }

  /** Says what is going on, on standard error, and not to programs. */
  note(text: string): void {
    if (!this.#json) process.stderr.write(`${text}\n`);
  }

  /** Tells why the command could not be done. */
  fail(error: unknown): void {
    const details = error instanceof CniError && error.details !== '' ? ` (${error.details})` : '';
    const isRefused = isErrno(error, 'EPERM', 'EACCES') && process.geteuid?.() !== 0;
    const hint = isRefused ? '; plumb must be run as root' : '';
    process.stderr.write(`plumb: ${errorMessage(error)}${details}${hint}\n`);
  }

  /** Styles a text if standard output is a terminal. */
  style(style: Style, text: string): string {
    return !this.#json && colours() ? styleText(style, text, { validateStream: false }) : text;
  }

  /** Lines up columns, two spaces apart. Styled cells count as wide as they look. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): string {
    const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => width(row[i] ?? ''))));
    const line = (cells: readonly string[]): string =>
      cells
        .map((cell, i) => cell + ' '.repeat(Math.max(0, (widths[i] ?? 0) - width(cell))))
        .join('  ')
        .trimEnd();
    return [this.style('bold', line(head)), ...rows.map(line)].join('\n');
  }
}

function colours(): boolean {
  const noColor = readEnvironment()['NO_COLOR'] ?? '';
  return process.stdout.isTTY === true && noColor === '';
}

function width(cell: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escapes of styleText
  return cell.replace(/\u001b\[\d+m/g, '').length;
}
