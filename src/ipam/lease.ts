/** Whom a lease belongs to. */
export interface LeaseOwner {
  readonly containerId: string;
  /** Empty for a lease in the format before host-local 0.7, which holds the container id alone. */
  readonly ifname: string;
}

/** What a lease file holds, byte for byte as host-local writes it: `ID CR LF IFNAME`, no newline at the end. */
export function formatLease(owner: LeaseOwner): string {
  const containerId = owner.containerId.trim();
  return owner.ifname === '' ? containerId : `${containerId}\r\n${owner.ifname}`;
}

/**
 * The owner that a lease file names; undefined when it names none. NUL bytes count as nothing: some file systems
 * leave them in place of contents that a power loss kept from the disk.
 */
export function parseLease(text: string): LeaseOwner | undefined {
  const [containerId = '', ifname = ''] = text.replaceAll('\0', '').trim().split(/\r?\n/);
  return containerId === '' ? undefined : { containerId, ifname };
}
