// Measures what a runtime waits for, and compares it with the reference plugins: call by call in turn, in one run, so that
// whatever else the machine does weighs on all alike. Times are whole processes.
//
// npm run bench -- [--quick] [--profile] [--write]
//
// The whole takes five minutes, or ten on a slow machine, --quick a third of that. --profile says where the time of one ADD
// goes and nothing else, --write makes docs/performance.md and its picture of the outcome.
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureChain } from './bench/chain.ts';
import { drawChart, type Line } from './bench/chart.ts';
import { measureFloor } from './bench/floor.ts';
import { isolate } from './bench/isolate.ts';
import { measureBursts, measureCalls, measureDualStack } from './bench/latency.ts';
import { measureMemory } from './bench/memory.ts';
import { profileAdd, STAGES } from './bench/profile.ts';
import { ratio, rowsOf, spread, table } from './bench/report.ts';
import { measureScale } from './bench/scale.ts';
import { install, reference, root, subjectsWith } from './bench/subjects.ts';

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean' }, profile: { type: 'boolean' }, write: { type: 'boolean' } },
});
const quick = options.quick === true;
isolate();

const { folder: plugins, version } = reference();
const folder = install(plugins);
const subjects = subjectsWith(folder);
const plumb = subjects.filter(({ type }) => type === 'plumb');
const HEAD = ['', 'reference', 'plumb', 'ratio', 'plumb-node', 'ratio'];
const paragraphs: string[] = [];

function say(text: string): void {
  console.log(`${text}\n`);
  paragraphs.push(text);
}

function sayProfile(rounds: number): void {
  const profiles = plumb.map((subject) => profileAdd(subject, folder, rounds));
  if (profiles.includes(undefined)) {
    say('The kernel has no tracer here (tracefs), so there is no profile.');
    return;
  }
  const floor = measureFloor(folder, rounds);
  say('## Where the time of one plain ADD goes');
  say(
    table(
      ['ms', ...plumb.map(({ name }) => name)],
      [
        ...STAGES.map((stage) => [stage, ...profiles.map((profile) => (profile?.[stage] ?? 0).toFixed(2))]),
        [
          'together',
          ...profiles.map((profile) => STAGES.reduce((sum, s) => sum + (profile?.[s] ?? 0), 0).toFixed(2)),
        ],
      ],
    ),
  );
  say(
    `The floor: a C program that asks the kernel for the same link, addresses and routes and does nothing else takes ${spread(floor.get('ADD'))} ms, start and end of its process included; one that deletes the link takes ${spread(floor.get('DEL'))} ms.`,
  );
}

say(
  `Medians in ms, in brackets the quartiles; the reference is containernetworking-plugins ${version}. ` +
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, Linux ${release()}.`,
);
if (options.profile === true) {
  sayProfile(quick ? 10 : 40);
  process.exit();
}

const rounds = quick ? 15 : 50;
say('## One container');
const calls = measureCalls(subjects, folder, rounds);
const dual = measureDualStack(subjects, folder, quick ? 3 : 8);
say(
  table(HEAD, [
    ...rowsOf(calls, ['VERSION', 'ADD', 'CHECK', 'DEL']),
    ...rowsOf(dual, ['ADD', 'DEL']).map(([what, ...cells]) => [`dual-stack ${what}`, ...cells]),
  ]),
);

say('## Many at once');
const sizes = [1, 20, 100];
const bursts = measureBursts(subjects, folder, sizes, (size) => (quick ? 2 : size < 100 ? 7 : 4));
say(
  `Wall time until the last of so many ADDs that start at the same time is done.\n\n${table(
    HEAD,
    rowsOf(bursts, sizes.map(String)).map(([size, ...cells]) => [`${size} ADDs`, ...cells]),
  )}`,
);

say('## Masquerading, one host port, limits both ways');
const present = quick ? [0] : [0, 1000];
const chains = present.map((size) => ({ size, series: measureChain(folder, size, quick ? 5 : 20) }));
for (const { size, series } of chains) {
  if (series === undefined) {
    say('cnitool is missing (scripts/test builds it), so the whole chain is not measured.');
    break;
  }
  const rows = ['plumb', 'plumb-node'].flatMap((name) =>
    ['ADD', 'DEL'].map((verb) => {
      const ours = series.get(`${verb} ${name}`);
      const against = ['nftables', 'iptables'].flatMap((backend) => {
        const theirs = series.get(`${verb} reference ${backend}`);
        return [spread(theirs), ratio(ours, theirs)];
      });
      return [`${verb} ${name}`, spread(ours), ...against];
    }),
  );
  say(
    `Through cnitool, with ${size.toLocaleString('en')} containers there already${size > 0 ? ', of which the reference has made the first, and the others are like it' : ''}. The nftables DEL of the reference fails as Debian builds it.\n\n${table(
      ['', 'plumb', 'reference, nftables', 'ratio', 'reference, iptables', 'ratio'],
      rows,
    )}`,
  );
}

say('## Many there already');
const scaleSizes = quick ? [0, 200, 1000] : [0, 1000, 10_000];
const scale = await measureScale(folder, scaleSizes, quick ? 8 : 25);
const scaled = ['ADD plain', 'DEL plain', 'ADD chain', 'DEL chain', 'floor'];
say(
  `What a call of dist/plumb costs by the number of containers of its network that are there; "chain" is with masquerading, a host port and limits, "floor" a C program that asks the kernel for what a plain ADD asks for.\n\n${table(
    ['', ...scaleSizes.map((size) => size.toLocaleString('en')), 'last / first'],
    scaled.map((what) => {
      const samples = scaleSizes.map((size) => scale.get(`${what} ${size}`));
      return [what, ...samples.map(spread), ratio(samples.at(-1), samples[0])];
    }),
  )}`,
);

say('## Memory and size');
const memory = [];
for (const subject of subjects) memory.push(await measureMemory(subject, folder, quick ? 20 : 50));
const megabytes = (kb: number | undefined): string => ((kb ?? Number.NaN) / 1024).toFixed(1);
say(
  table(
    ['MB', 'reference', 'plumb', 'plumb-node'],
    [
      ['one ADD, most that was resident', ...memory.map(({ peakKb }) => megabytes(peakKb))],
      [`each of ${quick ? 20 : 50} ADDs at once, PSS`, ...memory.map(({ pssKb }) => megabytes(pssKb))],
      ['executable', ...subjects.map(({ program }) => megabytes(statSync(program).size / 1024))],
    ],
  ),
);
say('The reference is two processes, ptp and host-local; its executable is ptp alone.');

sayProfile(quick ? 10 : 30);

if (options.write === true) {
  const lines: Line[] = scaled.map((what) => ({
    name: what,
    points: scaleSizes.map((x) => ({ x, y: scale.get(`${what} ${x}`)?.median ?? 0 })),
  }));
  for (const verb of ['ADD', 'DEL']) {
    for (const backend of verb === 'ADD' ? ['nftables', 'iptables'] : ['iptables']) {
      const points = chains.flatMap(({ size: x, series }) => {
        const sample = series?.get(`${verb} reference ${backend}`);
        return sample === undefined ? [] : [{ x, y: sample.median }];
      });
      lines.push({ name: `${verb} ${backend} chain`, points });
    }
  }
  const picture = drawChart('Cost of a call by the number of containers', 'ms', lines);
  writeFileSync(join(root, 'docs/performance.svg'), picture);
  const path = join(root, 'docs/performance.md');
  const [before = ''] = readFileSync(path, 'utf8').split('<!-- measured -->');
  writeFileSync(
    path,
    `${before}<!-- measured -->\n\n![Cost of a call by the number of containers](performance.svg)\n\n${paragraphs.join('\n\n')}\n`,
  );
}
