// Lets an executable note in which order it uses its functions, call by call: run by bytecode-order.ts in namespaces of its
// own, as `node record-order.ts EXECUTABLE FOLDER`. Prints the files, the most important first.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

const [executable = '', folder = ''] = process.argv.slice(2);
const NETNS = '/run/netns/c';

const plain = {
  cniVersion: '1.1.0',
  name: 'order',
  type: 'plumb',
  ipam: {
    type: 'host-local',
    dataDir: '/run/leases',
    ranges: [[{ subnet: '10.85.0.0/16' }]],
    routes: [{ dst: '0.0.0.0/0' }],
  },
};
const full = {
  ...plain,
  ipMasq: true,
  ingressRate: 8_000_000,
  ingressBurst: 800_000,
  egressRate: 8_000_000,
  egressBurst: 800_000,
  runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
};

mkdirSync('/run/netns');
execFileSync('ip', ['netns', 'add', 'c']);

function call(name: string, verb: string, config: object): string {
  const file = join(folder, name);
  const { status, stdout } = spawnSync(executable, [], {
    input: JSON.stringify(config),
    encoding: 'utf8',
    env: {
      BUN_BYTECODE_ORDER_OUT: file,
      CNI_COMMAND: verb,
      CNI_CONTAINERID: 'order',
      CNI_NETNS: NETNS,
      CNI_IFNAME: 'eth0',
      CNI_PATH: '/usr/lib/cni',
    },
  });
  if (status !== 0) throw new Error(`${verb}: ${stdout}`);
  console.log(file);
  return stdout;
}

// The first ADD of a host makes more than those that follow.
const first = spawnSync(executable, [], { input: '{}', env: { CNI_COMMAND: 'VERSION' } });
if (first.status !== 0) throw new Error('VERSION fails');
const prevResult: unknown = JSON.parse(call('add', 'ADD', plain));
call('del', 'DEL', { ...plain, prevResult });
const result: unknown = JSON.parse(call('add-full', 'ADD', full));
call('del-full', 'DEL', { ...full, prevResult: result });
const again: unknown = JSON.parse(call('add-again', 'ADD', plain));
call('check', 'CHECK', { ...plain, prevResult: again });
