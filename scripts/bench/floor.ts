import { compiled } from './compile.ts';
import { BenchHost } from './host.ts';
import { type Sample, summarize } from './statistics.ts';

/** Runs a C program that does no more than an ADD must (see floor.c) for a container; returns the milliseconds it took. */
export function floor(host: BenchHost, netns: string, round: number): number {
  const argv = [compiled('floor'), netns, `floor${round}`, '1', String(round % 250)];
  return host.run([{ argv, env: {}, input: '' }]).ms;
}

/** The time of {@link floor} on a host of its own. */
export function measureFloor(plugins: string, rounds: number): Sample {
  const host = new BenchHost(plugins);
  const times: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const netns = host.container(`floor-${round}`);
    const ms = floor(host, netns, round);
    if (round > 0) times.push(ms);
    host.removeContainer(netns);
  }
  host.close();
  return summarize(times);
}
