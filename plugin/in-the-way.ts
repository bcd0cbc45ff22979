import { CniError } from '../src/cni/error.ts';

/** The error for a link that has a name which an attachment needs, and is not of that attachment. */
export function linkInTheWay(link: { readonly name: string; readonly alias: string | undefined }): CniError {
  return new CniError(
    100,
    `a link ${link.name} is in the way that is not of this attachment: rename or remove it`,
    link.alias === undefined ? '' : `its alias is ${JSON.stringify(link.alias)}`,
  );
}
