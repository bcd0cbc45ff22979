import type { NetworkConfig } from '../../src/cni/config.ts';
import type { ResultInterface } from '../../src/cni/result.ts';
import type { Connection } from '../../src/netlink/conn.ts';
import type { AttachmentRecord } from '../../src/state/record.ts';
import type { PodAddress } from '../layout.ts';
import type { AttachmentKey } from '../names.ts';
import type { Others, Recorded } from '../others.ts';
import type { Undo } from '../undo.ts';

/** One end of an attachment's pair of links, in its own namespace. */
export interface End {
  readonly ifindex: number;
  readonly name: string;
  readonly mac: string;
}

/** An attachment whose links are there and have their addresses, for what is built upon it. */
export interface Attached {
  readonly key: AttachmentKey;
  readonly config: NetworkConfig;
  readonly pods: readonly PodAddress[];
  /** The container's namespace; the caller keeps it. */
  readonly netnsFd: number;
  /** Connections to rtnetlink of the host and inside the container. */
  readonly host: Connection;
  readonly inside: Connection;
  readonly hostEnd: End;
  readonly containerEnd: End;
}

/** An attachment that is being made. */
export interface Attaching extends Attached {
  /** The others, for a table that has lost what was theirs. */
  readonly others: Others;
}

/** An attachment that is to go. */
export interface Removal {
  readonly key: AttachmentKey;
  /** The name of its host end, whether that is still there or not. */
  readonly hostName: string;
  /** What its ADD noted; undefined if that is lost. */
  readonly record: AttachmentRecord | undefined;
  /** What can wait until all else is done, such as to close a socket that the kernel has deletions pending for. */
  readonly later: (step: () => void) => void;
}

/** Something that an attachment can have beside its link, addresses and routes. */
export interface Feature {
  /** For the log. */
  readonly name: string;
  /** Sets it up if the configuration asks for it. Each step registers its undo before it runs. */
  add(it: Attaching, undo: Undo): void;
  /** The links on the host that it has made, for the result. */
  interfaces?(it: Attached): ResultInterface[];
  /** What is not as ADD left it, in words. */
  check(it: Attached): string[];
  /** Takes it away, before the link goes; that there is nothing is success. */
  remove(it: Removal): void;
  /** Gives attachments back what a table of this feature had for them, if that table has gone. */
  restore?(recorded: readonly Recorded[]): void;
  /** Indexes of its links on the host, which go together with the host end, in one request. */
  companions?(host: Connection, key: AttachmentKey, record: AttachmentRecord | undefined): number[];
  /**
   * Looks for what is there, and returns how to take away what belongs to host ends that are not in `present`. To be
   * called before the links are listed: whoever comes meanwhile has a link first.
   */
  survey(): (present: ReadonlySet<string>) => void;
}
