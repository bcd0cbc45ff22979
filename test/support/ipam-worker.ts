// A process that works on a lease store, for tests: `node ipam-worker.ts churn|fill|count DATADIR SUBNET ...`.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { formatIp } from '../../src/ip/address.ts';
import { resolveRangeSets } from '../../src/ipam/ranges.ts';
import { openStore } from '../../src/ipam/store.ts';

const [mode = '', dataDir = '', subnet = '', name = '', count = '0'] = process.argv.slice(2);
const store = openStore(dataDir, 'net');
const sets = resolveRangeSets([[{ subnet }]], 'ranges');

const COUNTED = ['openSync', 'readFileSync', 'readdirSync', 'readlinkSync', 'lstatSync'] as const;

/** Runs `fn` and returns which functions of node:fs it called how often. */
function countCalls(fn: () => void): Record<string, number> {
  const calls: Record<string, number> = {};
  const originals = COUNTED.map((key) => [key, fs[key]] as const);
  for (const [key, original] of originals) {
    Object.assign(fs, {
      [key]: (...args: unknown[]): unknown => {
        calls[key] = (calls[key] ?? 0) + 1;
        return Reflect.apply(original, fs, args);
      },
    });
  }
  syncBuiltinESMExports();
  fn();
  for (const [key, original] of originals) Object.assign(fs, { [key]: original });
  syncBuiltinESMExports();
  return calls;
}

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
} else if (mode === 'count') {
  const owner = { containerId: name, ifname: 'eth0' };
  // The first lock of a process loads the library that takes it.
  store.collect(() => true);
  const add = countCalls(() => store.allocate(owner, sets, []));
  const find = countCalls(() => store.find(owner));
  const del = countCalls(() => store.release(owner));
  console.log(JSON.stringify({ add, find, del }));
}
