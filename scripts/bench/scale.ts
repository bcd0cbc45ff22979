import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { floor } from './floor.ts';
import { BenchHost } from './host.ts';
import { populate } from './populate.ts';
import { Series } from './statistics.ts';
import { chainConfig, plainConfig } from './subjects.ts';

// New links announce themselves in IPv6 for some seconds, thousands of them with all that a machine has.
const SETTLING_MS = 30_000;

interface Case {
  readonly what: 'plain' | 'chain';
  readonly config: (network: string, i: number) => object;
}

const CASES: readonly Case[] = [
  { what: 'plain', config: (network) => plainConfig('plumb', network) },
  { what: 'chain', config: (network, i) => chainConfig('plumb', network, i) },
];

/**
 * What an ADD and a DEL of dist/plumb cost where so many containers of the same network are there already: hosts of each
 * size, made before, and measured in turn. Keys: `ADD plain 1000`, and for floor.c, which asks the kernel for the same
 * as a plain ADD, `floor 1000`.
 */
export async function measureScale(
  plugins: string,
  sizes: readonly number[],
  rounds: number,
): Promise<Series> {
  const series = new Series();
  const program = join(plugins, 'plumb');
  for (const { what, config } of CASES) {
    const hosts = sizes.map((size) => {
      const host = new BenchHost(plugins);
      const network = `${what}-${size}`;
      populate(host, size, (i) => config(network, i));
      return { host, size, network };
    });
    await sleep(SETTLING_MS);
    for (let round = 0; round <= rounds; round++) {
      for (const { host, size, network } of hosts) {
        const containerId = `${network}-${round}`;
        const netns = host.container(containerId);
        const call = { program, containerId, netns, config: config(network, size + round) };
        const add = host.call({ ...call, verb: 'ADD' }).ms;
        const del = host.call({ ...call, verb: 'DEL' }).ms;
        const least = what === 'plain' ? floor(host, netns, round) : undefined;
        host.removeContainer(netns);
        if (round === 0) continue;
        if (least !== undefined) series.add(`floor ${size}`, least);
        series.add(`ADD ${what} ${size}`, add);
        series.add(`DEL ${what} ${size}`, del);
      }
    }
    for (const { host } of hosts) host.close();
  }
  return series;
}
