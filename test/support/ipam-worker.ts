// A process that works on a lease store, for tests: `node ipam-worker.ts churn|fill|once DATADIR SUBNET ...`.
import fs from 'node:fs';
import { formatIp } from '../../src/ip/address.ts';
import { openStore } from '../../src/ipam/store.ts';
import { rangeSets } from './ranges.ts';

const [mode = '', dataDir = '', subnet = '', name = '', count = '0'] = process.argv.slice(2);
const store = openStore(dataDir, 'net');
const sets = rangeSets([{ subnet }]);

if (mode === 'fill') {
  const addresses: string[] = [];
  for (let i = 0; i < Number(count); i++) {
    for (const { address } of store.allocate({ containerId: `${name}-${i}`, ifname: 'eth0' }, sets, [])) {
      addresses.push(formatIp(address.address));
    }
  }
  console.log(JSON.stringify(addresses));
} else if (mode === 'churn') {
  fs.writeSync(1, 'ready');
  for (let i = 0; ; i++) {
    const owner = { containerId: `${name}-${i % 3}`, ifname: 'eth0' };
    if (i % 2 === 0) store.release(owner);
    else if (store.find(owner).length === 0) store.allocate(owner, sets, []);
  }
} else if (mode === 'once') {
  const owner = { containerId: name, ifname: 'eth0' };
  store.allocate(owner, sets, []);
  store.find(owner);
  store.release(owner);
}
