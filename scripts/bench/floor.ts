import { compiled } from './compile.ts';
import { BenchHost } from './host.ts';
import { type Sample, summarize } from './statistics.ts';

/** The time of a C program that does no more than an ADD must: see floor.c. */
export function measureFloor(plugins: string, rounds: number): Sample {
  const program = compiled('floor');
  const host = new BenchHost(plugins);
  const times: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const netns = host.container(`floor-${round}`);
    const args = [netns, `floor${round}`, '1', String(round % 250)];
    const { ms } = host.run([{ argv: [program, ...args], env: {}, input: '' }]);
    if (round > 0) times.push(ms);
    host.removeContainer(netns);
  }
  host.close();
  return summarize(times);
}
