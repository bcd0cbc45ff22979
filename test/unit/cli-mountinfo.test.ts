import { expect, test } from 'vitest';
import { mounted } from '../../plugin/cli/gc/namespaces.ts';

test('mounted network namespaces are found in mountinfo, and nothing else', () => {
  const lines = [
    '25 1 0:23 / /proc rw,relatime shared:5 - proc proc rw',
    '90 61 0:4 net:[4026532209] /run/netns/a rw shared:1 - nsfs nsfs rw',
    '91 61 0:4 net:[4026532210] /run/netns/with\\040space rw - nsfs nsfs rw',
    '92 61 0:4 uts:[4026532211] /run/utsns/a rw - nsfs nsfs rw',
    '93 61 0:40 /net:[1] /mnt rw - tmpfs tmpfs rw',
    '',
  ];
  expect(mounted(lines.join('\n'))).toEqual(['/run/netns/a', '/run/netns/with space']);
});
