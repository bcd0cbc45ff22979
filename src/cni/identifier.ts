/** What container ids and network names may be, in words for error messages. */
export const IDENTIFIER_RULE = "a letter or digit, then letters, digits, '_', '.' or '-' only";

/** Whether `text` may be a container id or network name (specification, section "Parameters"). */
export function isIdentifier(text: string): boolean {
  return isPlain(text) && !'_.-'.includes(text.charAt(0));
}

/** Whether `text` is one or more ASCII letters, digits, `_`, `.` and `-`. */
export function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const isLetter = (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a;
    const isOther = (code >= 0x30 && code <= 0x39) || code === 0x5f || code === 0x2d || code === 0x2e;
    if (!isLetter && !isOther) return false;
  }
  return text !== '';
}
