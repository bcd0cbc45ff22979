import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { BenchHost } from './host.ts';
import { type Sample, summarize } from './statistics.ts';

/** The time of a C program that does no more than an ADD must: see floor.c. Undefined where there is no C compiler. */
export function measureFloor(plugins: string, rounds: number): Sample | undefined {
  const program = '/run/floor';
  const source = join(import.meta.dirname, 'floor.c');
  if (spawnSync('gcc', ['-O2', '-o', program, source], { stdio: 'inherit' }).status !== 0) return undefined;
  const host = new BenchHost(plugins);
  const times: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const netns = host.container(`floor-${round}`);
    const args = [netns, `floor${round}`, '1', String(round % 250)];
    host.inside(() => {
      const start = process.hrtime.bigint();
      execFileSync(program, args);
      const ms = Number(process.hrtime.bigint() - start) / 1e6;
      if (round > 0) times.push(ms);
    });
    host.removeContainer(netns);
  }
  host.close();
  return summarize(times);
}
