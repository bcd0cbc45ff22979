import { attachmentJson } from '../attachment-json.ts';
import { describeAttachment } from '../attachment-text.ts';
import { type ConfDirOption, confDirOf, withConfDir } from '../conf-dir.ts';
import { takeInventory } from '../inventory.ts';
import { selectAttachments } from '../select.ts';
import type { AddCommand } from './all.ts';

/** `plumb show ID`: all that is known of a container's attachments. */
export const show: AddCommand = (program, out) => {
  withConfDir(program.command('show'))
    .description('show all about the attachments of a container')
    .argument('<id>', 'container id or the beginning of one, host link, or address')
    .action((id: string, options: ConfDirOption) => {
      const { attachments } = takeInventory(confDirOf(options));
      const selected = selectAttachments(attachments, id).map(attachmentJson);
      const now = Date.now();
      out.data(selected, () => selected.map((it) => describeAttachment(it, out, now)).join('\n\n'));
    });
};
