/**
 * What CHANGELOG.md says of a version: the text below `## VERSION`, behind which a date may stand. Throws an `Error` when
 * there is no such section, or nothing in it.
 */
export function changesOf(changelog: string, version: string): string {
  const sections = changelog.split(/^## /m).slice(1);
  const section = sections.find((text) => text.split(/\s/, 1)[0] === version);
  if (section === undefined)
    throw new Error(`CHANGELOG.md has no section "## ${version}": "## Unreleased" becomes it`);
  const text = section.slice(section.indexOf('\n')).trim();
  if (text === '') throw new Error(`the section "## ${version}" of CHANGELOG.md is empty`);
  return text;
}
