import type { Check } from './check.ts';

/** Whether plumb can write where it must. */
export const folders: Check = {
  name: 'folder',
  isGeneral: true,
  find: (facts) =>
    [...facts.folders].flatMap(([path, fault]) =>
      fault === undefined
        ? []
        : {
            object: path,
            problem: `no file can be made there (${fault}): every ADD and DEL fails`,
            remedy: fault.endsWith('EROFS')
              ? `mount -o remount,rw the file system (findmnt -T ${path}), or name another folder (runDir, ipam.dataDir)`
              : `make it a folder that root can write to, or name another one (runDir, ipam.dataDir)`,
          },
    ),
};
