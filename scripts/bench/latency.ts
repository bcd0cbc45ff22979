import { BenchHost } from './host.ts';
import { Series } from './statistics.ts';
import { plainConfig, type Subject } from './subjects.ts';

/** VERSION, and ADD, CHECK and DEL of one container, of each subject in turn, so that what else the machine does weighs on all alike. */
export function measureCalls(subjects: readonly Subject[], plugins: string, rounds: number): Series {
  const series = new Series();
  const host = new BenchHost(plugins);
  // The first round warms the caches and is not counted.
  for (let round = 0; round <= rounds; round++) {
    for (const { name, program, type } of subjects) {
      const record = (what: string, ms: number): void => {
        if (round > 0) series.add(`${what} ${name}`, ms);
      };
      const containerId = `${name}-${round}`;
      const netns = host.container(containerId);
      const config = plainConfig(type);
      const call = { program, containerId, netns };
      record('VERSION', host.call({ ...call, verb: 'VERSION', config: { cniVersion: '1.0.0' } }).ms);
      const added = host.call({ ...call, verb: 'ADD', config });
      record('ADD', added.ms);
      const withResult = { ...config, prevResult: JSON.parse(added.stdout) };
      record('CHECK', host.call({ ...call, verb: 'CHECK', config: withResult }).ms);
      record('DEL', host.call({ ...call, verb: 'DEL', config: withResult }).ms);
      host.removeContainer(netns);
    }
  }
  host.close();
  return series;
}

/** ADD and DEL with IPv4 and IPv6. */
export function measureDualStack(subjects: readonly Subject[], plugins: string, rounds: number): Series {
  const series = new Series();
  const host = new BenchHost(plugins);
  for (let round = 0; round <= rounds; round++) {
    for (const { name, program, type } of subjects) {
      const containerId = `${name}-dual-${round}`;
      const netns = host.container(containerId);
      const call = { program, containerId, netns, config: plainConfig(type, `bench-${type}-dual`, true) };
      const add = host.call({ ...call, verb: 'ADD' }).ms;
      const del = host.call({ ...call, verb: 'DEL' }).ms;
      host.removeContainer(netns);
      if (round === 0) continue;
      series.add(`ADD ${name}`, add);
      series.add(`DEL ${name}`, del);
    }
  }
  host.close();
  return series;
}

/** Wall time until all of so many ADDs that start at once are done, each size as many times as `rounds` says. */
export function measureBursts(
  subjects: readonly Subject[],
  plugins: string,
  sizes: readonly number[],
  rounds: (size: number) => number,
): Series {
  const series = new Series();
  const host = new BenchHost(plugins);
  const most = Math.max(...sizes);
  const containers = Array.from({ length: most }, (_, i) => host.container(`burst-${i}`));
  for (let round = 0; round <= Math.max(...sizes.map(rounds)); round++) {
    for (const size of sizes.filter((size) => round <= rounds(size))) {
      for (const { name, program, type } of subjects) {
        const calls = containers.slice(0, size).map((netns, i) => ({
          program,
          containerId: `${name}-burst-${i}`,
          netns,
          config: plainConfig(type),
        }));
        const { ms } = host.callAll(calls.map((call) => ({ ...call, verb: 'ADD' })));
        host.callAll(calls.map((call) => ({ ...call, verb: 'DEL' })));
        if (round > 0) series.add(`${size} ${name}`, ms);
      }
    }
  }
  for (const path of containers) host.removeContainer(path);
  host.close();
  return series;
}
