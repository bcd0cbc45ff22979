import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyFirst } from './copies.ts';
import { BenchHost } from './host.ts';
import { populate } from './populate.ts';
import { Series } from './statistics.ts';
import { chainConfig, hostPort, plumbChain, portMapping, referenceChain, root } from './subjects.ts';

const cnitool = join(root, '.cache/cnitool');
const NETWORKS = '/run/conf';

interface Chain {
  readonly name: string;
  /** What makes the rules of the reference. */
  readonly backend?: 'iptables' | 'nftables';
  /** Whether its DEL works: with nftables that of the reference as Debian builds it does not. */
  readonly deletes: boolean;
  readonly plugins: readonly object[];
}

const CHAINS: readonly Chain[] = [
  { name: 'reference iptables', backend: 'iptables', deletes: true, plugins: referenceChain('iptables') },
  { name: 'reference nftables', backend: 'nftables', deletes: false, plugins: referenceChain('nftables') },
  { name: 'plumb', deletes: true, plugins: plumbChain('plumb') },
  { name: 'plumb-node', deletes: true, plugins: plumbChain('plumb-node') },
];

/**
 * Masquerading, one host port and limits both ways, through cnitool, with `present` containers of the same network there
 * already: one plumb entry, and the chain of the reference plugins with each backend. Undefined where there is no cnitool.
 *
 * @param plugins the folder with all of them
 */
export function measureChain(plugins: string, present: number, rounds: number): Series | undefined {
  if (!existsSync(cnitool)) return undefined;
  mkdirSync(NETWORKS, { recursive: true });
  const series = new Series();
  const hosts = CHAINS.map((chain) => {
    const host = new BenchHost(plugins);
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

function fill(host: BenchHost, { backend }: Chain, network: string, size: number): void {
  if (backend === undefined) {
    populate(host, size, (i) => chainConfig('plumb', network, i));
  } else if (size > 0) {
    call(host, 'add', network, host.container(`${network}-there-0`), 0);
    copyFirst(host, backend, network, hostPort(0), size);
  }
}

function call(host: BenchHost, verb: string, network: string, netns: string, number: number): number {
  const env = {
    NETCONFPATH: NETWORKS,
    CNI_PATH: host.plugins,
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    CAP_ARGS: JSON.stringify(portMapping(number)),
  };
  return host.run([{ argv: [cnitool, verb, network, netns], env, input: '' }]).ms;
}
