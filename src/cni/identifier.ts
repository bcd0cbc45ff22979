/** What container ids and network names may be, in words for error messages. */
export const IDENTIFIER_RULE = "a letter or digit, then letters, digits, '_', '.' or '-' only";

/** Whether `text` may be a container id or network name (specification, section "Parameters"). */
export function isIdentifier(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(text);
}
