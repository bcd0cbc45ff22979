import { SUPPORTED_VERSIONS } from '../../../src/cni/versions.ts';
import { VERSION } from '../version.ts';
import type { AddCommand } from './all.ts';

/** `plumb versions`: the program's version, and those of the CNI specification that it speaks. */
export const versions: AddCommand = (program, out) => {
  program
    .command('versions')
    .description('show the version, and the versions of the CNI specification that it speaks')
    .action(() => {
      const value = { plumb: VERSION, cni: SUPPORTED_VERSIONS };
      out.data(value, () => `plumb ${VERSION}\nCNI ${SUPPORTED_VERSIONS.join(', ')}`);
    });
};
