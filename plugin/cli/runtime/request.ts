import type { JsonObject } from '../../../src/cni/document.ts';
import type { NetworkList } from '../network-list.ts';

/** What a runtime calls the plugins of a network with. */
export interface RuntimeRequest {
  readonly network: NetworkList;
  readonly containerId: string;
  /** Absolute path. */
  readonly netns: string;
  readonly ifname: string;
  /** CNI_ARGS. */
  readonly args: readonly (readonly [key: string, value: string])[];
  /** What is there for each capability; a plugin gets those that its entry asks for. */
  readonly capabilityArgs: JsonObject;
  /** Folders of the plugins, separated by colons. */
  readonly binDirs: string;
  /** Folder of libcni's cache. */
  readonly cacheDir: string;
}
