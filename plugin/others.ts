import type { Connection } from '../src/netlink/conn.ts';
import { listLinks } from '../src/netlink/ops/links.ts';
import { type AttachmentRecord, openRecords } from '../src/state/record.ts';
import { readdirSync } from '../src/sys/fs.ts';
import { hostInterfaceName } from './names.ts';

/** An attachment that is there, and what its ADD noted. */
export interface Recorded {
  readonly hostName: string;
  readonly record: AttachmentRecord;
}

/**
 * The attachments of this host beside one's own, of every network with its records in the same folder. They are read when they
 * are asked for: when a table is to be made, which may have been there before.
 */
export class Others {
  readonly #runDir: string;
  readonly #host: Connection;
  readonly #own: string;
  #found: Recorded[] | undefined;

  /** `own` is the name of one's own host end, `host` a connection to rtnetlink of the host. */
  constructor(runDir: string, host: Connection, own: string) {
    this.#runDir = runDir;
    this.#host = host;
    this.#own = own;
  }

  /** Whether they have been asked for. */
  get wanted(): boolean {
    return this.#found !== undefined;
  }

  /** Those that have their host end. Throws {@link NetlinkError} or {@link SyscallError}. */
  list(): readonly Recorded[] {
    this.#found ??= this.#read();
    return this.#found;
  }

  #read(): Recorded[] {
    const present = new Set(listLinks(this.#host).map(({ name }) => name));
    return readdirSync(this.#runDir).flatMap((network) => {
      const records = openRecords(this.#runDir, network);
      return records.names().flatMap((hostName): Recorded[] => {
        if (hostName === this.#own || !present.has(hostName)) return [];
        const record = records.read(hostName);
        return record === undefined || hostInterfaceName(record) !== hostName ? [] : [{ hostName, record }];
      });
    });
  }
}
