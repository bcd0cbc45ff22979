import { compiled } from './compile.ts';
import { BenchHost } from './host.ts';
import { type Sample, summarize } from './statistics.ts';

/** Runs a C program that does no more than an ADD must (see floor.c) for a container; returns the milliseconds it took. */
export function floor(host: BenchHost, netns: string, round: number): number {
  const argv = [compiled('floor'), netns, `floor${round}`, '1', String(round % 250)];
  return host.run([{ argv, env: {}, input: '' }]).ms;
}

/** The times of {@link floor}, and of the same for DEL, on a host of its own. */
export function measureFloor(
  plugins: string,
  rounds: number,
): { readonly add: Sample; readonly del: Sample } {
  const host = new BenchHost(plugins);
  const times: { add: number[]; del: number[] } = { add: [], del: [] };
  for (let round = 0; round <= rounds; round++) {
    const netns = host.container(`floor-${round}`);
    const add = floor(host, netns, round);
    const del = host.run([{ argv: [compiled('floor'), `floor${round}`], env: {}, input: '' }]).ms;
    host.removeContainer(netns);
    if (round === 0) continue;
    times.add.push(add);
    times.del.push(del);
  }
  host.close();
  return { add: summarize(times.add), del: summarize(times.del) };
}
