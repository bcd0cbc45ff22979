import { compiled } from './compile.ts';
import { BenchHost } from './host.ts';
import { Series } from './statistics.ts';

/** Runs a C program that does no more than an ADD must (see floor.c) for a container; returns the milliseconds it took. */
export function floor(host: BenchHost, netns: string, round: number): number {
  return run(host, netns, `floor${round}`, '1', String(round % 250));
}

/** The times of {@link floor}, and of the same for DEL, on a host of its own. Keys: `ADD`, `DEL`. */
export function measureFloor(plugins: string, rounds: number): Series {
  const series = new Series();
  const host = new BenchHost(plugins);
  for (let round = 0; round <= rounds; round++) {
    const netns = host.container(`floor-${round}`);
    const add = floor(host, netns, round);
    const del = run(host, `floor${round}`);
    host.removeContainer(netns);
    if (round === 0) continue;
    series.add('ADD', add);
    series.add('DEL', del);
  }
  host.close();
  return series;
}

function run(host: BenchHost, ...args: readonly string[]): number {
  return host.run([{ argv: [compiled('floor'), ...args], env: {}, input: '' }]).ms;
}
