import type { NetworkConfig } from '../src/cni/config.ts';
import type { Environment } from '../src/cni/environment.ts';
import { openStore } from '../src/ipam/store.ts';
import { openRecords } from '../src/state/record.ts';
import type { Ipam } from './ipam/ipam.ts';
import { type AttachmentKey, hostInterfaceName } from './names.ts';
import { stepDone } from './steps.ts';
import { teardown } from './teardown.ts';

/**
 * DEL: works from network, container id and interface name alone, namespace or not; what is gone already is
 * success. The lease goes after the link: an address that something still answers for is never given out again. The
 * record goes last, so that whatever stops us before is found and finished later.
 */
export function del(env: Environment, config: NetworkConfig, ipam: Ipam): void {
  const key: AttachmentKey = { network: config.name, containerId: env.containerId, ifname: env.ifname };
  const hostName = hostInterfaceName(key);
  const records = openRecords(config.runDir, config.name);
  const record = records.read(hostName);
  const leftIn = record?.dataDir;
  const finish = teardown(key, record);
  // The configuration may have changed since ADD.
  if (leftIn !== undefined && leftIn !== ipam.dataDir) openStore(leftIn, config.name).release(key);
  ipam.del(key);
  stepDone('lease');
  records.remove(hostName);
  finish();
  stepDone('end');
}
