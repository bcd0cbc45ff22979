import { listAddresses } from '../../../src/netlink/ops/addresses.ts';
import { connect } from '../../../src/netlink/socket.ts';
import { statOrNothing } from '../../../src/sys/find-file.ts';
import { closeQuietly, openReadOnly, readdirSync, readFileSync } from '../../../src/sys/fs.ts';
import { isNetns } from '../../../src/sys/netns.ts';

/**
 * A path to each network namespace that can be seen from here, by its processes and by the places where it is mounted (as
 * /run/netns/NAME is). Throws {@link SyscallError} when /proc cannot be read.
 */
export function visibleNamespaces(): string[] {
  const paths = new Map<string, string>();
  for (const path of [...ofProcesses(), ...mounted(readFileSync('/proc/self/mountinfo'))]) {
    const file = statOrNothing(path);
    if (file !== undefined) paths.set(`${file.dev}:${file.ino}`, path);
  }
  return [...paths.values()];
}

function ofProcesses(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => `/proc/${pid}/ns/net`);
}

/** Where network namespaces are mounted: the fifth field is the place, escaped in octal. See proc_pid_mountinfo(5). */
export function mounted(mountinfo: string): string[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [fields = '', source = ''] = line.split(' - ');
    const [, , , root = '', place = ''] = fields.split(' ');
    if (!source.startsWith('nsfs ') || !root.startsWith('net:[')) return [];
    return [place.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))];
  });
}

/**
 * Every address that an interface of some network namespace has, without prefix length. A namespace that goes meanwhile is passed
 * over. Throws {@link NetlinkError}.
 */
export function addressesInUse(): Set<string> {
  const addresses = new Set<string>();
  for (const path of visibleNamespaces()) {
    for (const address of addressesIn(path)) addresses.add(address);
  }
  return addresses;
}

function addressesIn(path: string): string[] {
  let netnsFd: number;
  try {
    netnsFd = openReadOnly(path);
  } catch {
    return [];
  }
  try {
    if (!isNetns(netnsFd)) return [];
    const inside = connect({ netnsFd });
    try {
      return listAddresses(inside).map(({ address }) => address);
    } finally {
      inside.close();
    }
  } finally {
    closeQuietly(netnsFd);
  }
}
