import { type AttachmentJson, attachmentJson } from '../attachment-json.ts';
import { describePorts, describeRates } from '../attachment-text.ts';
import { type ConfDirOption, confDirOf, withConfDir } from '../conf-dir.ts';
import { takeInventory } from '../inventory.ts';
import type { Output } from '../output.ts';
import { shortIds } from '../short-ids.ts';
import { formatAge, formatBytes } from '../units.ts';
import type { AddCommand } from './all.ts';

/** `plumb ls`: the attachments of this host, one a line. */
export const ls: AddCommand = (program, out) => {
  withConfDir(program.command('ls').alias('list'))
    .description('list the attachments of this host')
    .option('--no-trunc', 'show container ids whole')
    .action((options: ConfDirOption & { readonly trunc: boolean }) => {
      const attachments = takeInventory(confDirOf(options)).attachments.map(attachmentJson);
      out.data(attachments, () => table(attachments, options.trunc, out));
    });
};

function table(attachments: readonly AttachmentJson[], shorten: boolean, out: Output): string {
  const ids = attachments.map(({ containerId }) => containerId);
  const shortOf = shorten ? shortIds(ids) : undefined;
  const now = Date.now();
  const columns: [head: string, cell: (it: AttachmentJson) => string][] = [
    ['CONTAINER', ({ containerId }) => shortOf?.get(containerId) ?? containerId],
    ['NETWORK', ({ network }) => network],
    ['INTERFACE', ({ ifname }) => ifname],
    ['ADDRESSES', ({ addresses }) => addresses.join(' ')],
    ['HOST LINK', (it) => hostLink(it, out)],
    ['PORTS', (it) => describePorts(it.ports)],
    ['LIMITS', (it) => describeRates(it)],
    ['RECEIVED', ({ received }) => (received === null ? '' : formatBytes(received.bytes))],
    ['SENT', ({ sent }) => (sent === null ? '' : formatBytes(sent.bytes))],
    ['AGE', ({ addedAt }) => (addedAt === null ? '' : formatAge(now - Date.parse(addedAt)))],
    ['NAMESPACE', (it) => namespace(it, out)],
  ];
  // What no attachment has needs no column.
  const used = columns.filter(([head, cell], i) => i < 5 || head === 'NAMESPACE' || attachments.some(cell));
  return out.table(
    used.map(([head]) => head),
    attachments.map((it) => used.map(([, cell]) => cell(it))),
  );
}

function hostLink({ hostInterface, hostLink: link }: AttachmentJson, out: Output): string {
  return link === null ? out.style('red', `${hostInterface} (missing)`) : hostInterface;
}

function namespace({ netns: { state } }: AttachmentJson, out: Output): string {
  return state === 'alive' ? state : out.style(state === 'gone' ? 'red' : 'yellow', state);
}
