// Makes dist/npm (the library's package as a folder) and of it dist/plumb-VERSION.tgz, which npm can install.
import { join, relative } from 'node:path';
import { makeLibraryPackage, packLibrary } from './lib/library-package.ts';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'dist/npm');
await makeLibraryPackage(folder);
console.log(relative(root, packLibrary(folder, join(root, 'dist'))));
