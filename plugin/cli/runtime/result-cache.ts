import { isObject, type JsonObject } from '../../../src/cni/document.ts';
import { errorMessage } from '../../../src/errors.ts';
import { mkdirSync, readIfPresent, removeFile, renameSync, writeNewSync } from '../../../src/sys/fs.ts';
import type { RuntimeRequest } from './request.ts';

const KIND = 'cniCacheV1';

/**
 * The result of an attachment as libcni keeps it for CHECK and DEL, in `<cacheDir>/results/<network>-<container id>-<interface>`, so
 * that cnitool finds what plumb has added, and the other way round. The format is libcni's `cachedInfo`: a JSON object whose
 * `config` is the network's list in base64. All methods throw {@link SyscallError}.
 */
export class ResultCache {
  readonly #request: RuntimeRequest;

  constructor(request: RuntimeRequest) {
    this.#request = request;
  }

  /** Where it lies. */
  get path(): string {
    return `${this.#folder}/${this.#name}`;
  }

  get #folder(): string {
    return `${this.#request.cacheDir}/results`;
  }

  get #name(): string {
    const { network, containerId, ifname } = this.#request;
    return `${network.name}-${containerId}-${ifname}`;
  }

  /** Keeps a result, in the place of an older one. */
  write(result: JsonObject): void {
    const { network, containerId, ifname, netns, args, capabilityArgs } = this.#request;
    const info = {
      kind: KIND,
      containerId,
      config: Buffer.from(network.json).toString('base64'),
      ifName: ifname,
      networkName: network.name,
      netns,
      ...(args.length === 0 ? {} : { cniArgs: args }),
      ...(Object.keys(capabilityArgs).length === 0 ? {} : { capabilityArgs }),
      result,
    };
    mkdirSync(this.#folder, 0o700);
    const aside = `${this.#folder}/.${this.#name}.new`;
    removeFile(aside);
    writeNewSync(aside, JSON.stringify(info));
    renameSync(aside, this.path);
  }

  /** The result that is kept; undefined if there is none. Throws {@link Error} for a file that is no such thing. */
  read(): JsonObject | undefined {
    const text = readIfPresent(this.path);
    if (text === undefined) return undefined;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw new Error(`${this.path}: ${errorMessage(error)}`, { cause: error });
    }
    if (isObject(value) && value['kind'] === KIND && isObject(value['result'])) return value['result'];
    // Old libcni versions kept the result alone.
    if (isObject(value) && value['kind'] === undefined && typeof value['cniVersion'] === 'string')
      return value;
    throw new Error(`${this.path} holds no result that libcni has kept`);
  }

  /** Forgets it; absence is success. */
  remove(): void {
    removeFile(this.path);
  }
}
