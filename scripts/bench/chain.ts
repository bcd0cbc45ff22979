import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BenchHost } from './host.ts';
import { populate } from './populate.ts';
import { Series } from './statistics.ts';
import { chainConfig, plumbChain, portMapping, referenceChain, root } from './subjects.ts';

const cnitool = join(root, '.cache/cnitool');
const PLUGINS = '/run/bin';
const NETWORKS = '/run/conf';

interface Chain {
  readonly name: string;
  /** Whether its DEL works: with nftables that of the reference as Debian builds it does not. */
  readonly deletes: boolean;
  readonly plugins: readonly object[];
}

const CHAINS: readonly Chain[] = [
  { name: 'reference iptables', deletes: true, plugins: referenceChain('iptables') },
  { name: 'reference nftables', deletes: false, plugins: referenceChain('nftables') },
  { name: 'plumb', deletes: true, plugins: plumbChain('plumb') },
  { name: 'plumb-node', deletes: true, plugins: plumbChain('plumb-node') },
];

/**
 * Masquerading, one host port and limits both ways, through cnitool, with `present` containers of the same network there
 * already: one plumb entry, and the chain of the reference plugins with each backend. Undefined where there is no cnitool.
 */
export function measureChain(reference: string, present: number, rounds: number): Series | undefined {
  if (!existsSync(cnitool)) return undefined;
  prepare(reference);
  const series = new Series();
  const hosts = CHAINS.map((chain) => {
    const host = new BenchHost(PLUGINS);
    const network = `${chain.name.replaceAll(' ', '-')}-${present}`;
    writeFileSync(
      `${NETWORKS}/${network}.conflist`,
      JSON.stringify({ cniVersion: '1.0.0', name: network, plugins: chain.plugins }),
    );
    fill(host, chain, network, present);
    return { ...chain, host, network };
  });
  for (let round = 0; round <= rounds; round++) {
    for (const { name, deletes, host, network } of hosts) {
      const netns = host.container(`${network}-${round}`);
      const number = present + round;
      const add = call(host, 'add', network, netns, number);
      const del = deletes ? call(host, 'del', network, netns, number) : undefined;
      host.removeContainer(netns);
      if (round === 0) continue;
      series.add(`ADD ${name}`, add);
      if (del !== undefined) series.add(`DEL ${name}`, del);
    }
  }
  for (const { host } of hosts) host.close();
  return series;
}

function prepare(reference: string): void {
  mkdirSync(NETWORKS, { recursive: true });
  if (existsSync(PLUGINS)) return;
  mkdirSync(PLUGINS);
  for (const name of ['plumb', 'plumb-node']) symlinkSync(join(root, 'dist', name), `${PLUGINS}/${name}`);
  for (const name of ['ptp', 'host-local', 'portmap', 'bandwidth']) {
    symlinkSync(join(reference, name), `${PLUGINS}/${name}`);
  }
}

function fill(host: BenchHost, { name }: Chain, network: string, size: number): void {
  if (name.startsWith('plumb')) {
    populate(host, size, (i) => chainConfig('plumb', network, i));
    return;
  }
  for (let i = 0; i < size; i++) call(host, 'add', network, host.container(`${network}-there-${i}`), i);
}

function call(host: BenchHost, verb: string, network: string, netns: string, number: number): number {
  const env = {
    NETCONFPATH: NETWORKS,
    CNI_PATH: PLUGINS,
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    CAP_ARGS: JSON.stringify(portMapping(number)),
  };
  return host.run([{ argv: [cnitool, verb, network, netns], env, input: '' }]).ms;
}
