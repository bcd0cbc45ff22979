import { CniError } from '../../src/cni/error.ts';
import type { SysctlSetting, Tuning } from '../../src/cni/tuning.ts';
import { errorMessage, isErrno } from '../../src/errors.ts';
import { findLink, type LinkChange, setLink } from '../../src/netlink/ops/links.ts';
import { closeQuietly, openReadOnly, readIfPresent } from '../../src/sys/fs.ts';
import { withNetnsFd } from '../../src/sys/netns.ts';
import { getSysctl, setSysctl } from '../../src/sys/sysctl.ts';
import type { Undo } from '../undo.ts';
import type { Attached, Feature } from './feature.ts';

/** Where the host's administrator lists the sysctls that networks may set, as the reference plugin has it. */
const ALLOW_LIST = '/etc/cni/tuning/allowlist.conf';

/** The keys of the reference plugin tuning: sysctls inside the container, and attributes of its interface. */
export const tuning: Feature = {
  name: 'tuning',
  add(it, undo) {
    const wanted = it.config.tuning;
    if (wanted === undefined) return;
    setAttributes(it, wanted);
    if (wanted.sysctls.length === 0) return;
    assertAllowed(wanted.sysctls);
    setSysctls(it, wanted.sysctls, undo);
  },
  check(it) {
    const wanted = it.config.tuning;
    return wanted === undefined ? [] : [...attributeFaults(it, wanted), ...sysctlFaults(it, wanted)];
  },
  // All of it goes with the link or with the namespace.
  remove: () => undefined,
  survey: () => () => undefined,
};

function setAttributes({ inside, containerEnd }: Attached, { promisc, allmulti, txQLen }: Tuning): void {
  const change: LinkChange = {
    ...(promisc === undefined ? {} : { promisc }),
    ...(allmulti === undefined ? {} : { allmulti }),
    ...(txQLen === undefined ? {} : { txQueueLength: txQLen }),
  };
  if (Object.keys(change).length === 0) return;
  try {
    setLink(inside, containerEnd.ifindex, change);
  } catch (error) {
    const keys = Object.entries({ promisc, allmulti, txQLen }).flatMap(([key, value]) =>
      value === undefined ? [] : `${key} ${value}`,
    );
    throw new CniError(102, `${keys.join(', ')} of ${containerEnd.name}: ${errorMessage(error)}`, '', {
      cause: error,
    });
  }
}

/** Refuses what the list of the host does not have. Its lines are regular expressions, and any part of a key may match. */
function assertAllowed(sysctls: readonly SysctlSetting[]): void {
  const text = readIfPresent(ALLOW_LIST);
  if (text === undefined) return;
  const patterns = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      try {
        return new RegExp(line);
      } catch (error) {
        throw new CniError(5, `${ALLOW_LIST}: ${errorMessage(error)}`, 'each line is a regular expression');
      }
    });
  for (const { at, key } of sysctls) {
    if (!patterns.some((pattern) => pattern.test(key)))
      throw new CniError(7, `${at}: ${ALLOW_LIST} does not allow ${key} on this host`);
  }
}

function fileOf({ file }: SysctlSetting, ifname: string): string {
  return file.replace('IFNAME', () => ifname);
}

/** Whether the sysctl is there only as long as the interface is. */
function isOfInterface(file: string, ifname: string): boolean {
  return file.split('/')[3] === ifname;
}

// The kernel does not see a write of no bytes.
function writable(value: string): string {
  return value === '' ? '\n' : value;
}

function setSysctls(
  { netnsFd, containerEnd }: Attached,
  sysctls: readonly SysctlSetting[],
  undo: Undo,
): void {
  const { name } = containerEnd;
  const before = new Map<string, string>();
  const lasting = sysctls
    .map((setting) => fileOf(setting, name))
    .filter((file) => !isOfInterface(file, name));
  if (lasting.length > 0) {
    // Of our own, since it may all be undone after the caller's is closed.
    const fd = openReadOnly(`/proc/self/fd/${netnsFd}`);
    undo.register(() => closeQuietly(fd));
    for (const file of lasting) {
      undo.register(() => {
        const value = before.get(file);
        if (value !== undefined) withNetnsFd(fd, () => setSysctl(file, writable(value)));
      });
    }
  }
  withNetnsFd(netnsFd, () => {
    for (const setting of sysctls) {
      const file = fileOf(setting, name);
      try {
        // Noted first: what fails may have been written all the same.
        before.set(file, getSysctl(file));
        setSysctl(file, writable(setting.value));
      } catch (error) {
        throw refused(setting, error);
      }
    }
  });
}

function refused({ at, value }: SysctlSetting, error: unknown): CniError {
  const said = errorMessage(error);
  const options = { cause: error };
  if (isErrno(error, 'ENOENT'))
    return new CniError(7, `${at}: the container has no such sysctl (${said})`, '', options);
  if (isErrno(error, 'EINVAL', 'ERANGE'))
    return new CniError(7, `${at}: the kernel does not take ${JSON.stringify(value)} (${said})`, '', options);
  return new CniError(102, `${at}: ${said}`, '', options);
}

function attributeFaults(
  { inside, containerEnd }: Attached,
  { promisc, allmulti, txQLen }: Tuning,
): string[] {
  const { ifindex, name } = containerEnd;
  const link = findLink(inside, ifindex);
  // Whose absence is a fault of its own.
  if (link === undefined) return [];
  const state = (on: boolean): string => (on ? 'on' : 'off');
  const faults: string[] = [];
  if (promisc !== undefined && link.promisc !== promisc)
    faults.push(`promisc of ${name} is ${state(link.promisc)}`);
  if (allmulti !== undefined && link.allmulti !== allmulti)
    faults.push(`allmulti of ${name} is ${state(link.allmulti)}`);
  if (txQLen !== undefined && link.txQueueLength !== txQLen)
    faults.push(`txQLen of ${name} is ${link.txQueueLength}, not ${txQLen}`);
  return faults;
}

function sysctlFaults({ netnsFd, containerEnd }: Attached, { sysctls }: Tuning): string[] {
  if (sysctls.length === 0) return [];
  return withNetnsFd(netnsFd, () =>
    sysctls.flatMap((setting) => {
      let value: string;
      try {
        value = getSysctl(fileOf(setting, containerEnd.name));
      } catch (error) {
        return `sysctl ${setting.key} cannot be read (${errorMessage(error)})`;
      }
      return words(value) === words(setting.value)
        ? []
        : `sysctl ${setting.key} is ${JSON.stringify(value)}, not ${JSON.stringify(setting.value)}`;
    }),
  );
}

/** Without what the kernel prints differently from how it may be written: `4096	131072	6291456`. */
function words(value: string): string {
  return value.trim().split(/\s+/).join(' ');
}
