import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exec, type Host, type Namespace } from './host.ts';

// Traffic between namespaces of a Host: who answers, and under which address it sees the asker.

// The cache spares each of many processes the time to turn it into JavaScript.
const TALK = [
  ...['env', 'NODE_COMPILE_CACHE=/run/talk-cache', process.execPath],
  join(import.meta.dirname, 'talk.ts'),
];

/** An address of each family. */
export interface Pair {
  readonly 4: string;
  readonly 6: string;
}

/** Addresses of the host, and of the machine that {@link outside} makes, on the link between them. */
export const HOST = { 4: '203.0.113.1', 6: '2001:db8::1' } as const;
export const OUTSIDE = { 4: '203.0.113.2', 6: '2001:db8::2' } as const;

/** A machine outside, which knows no route to the containers. */
export async function outside(host: Host): Promise<Namespace> {
  const out = await host.pod();
  await host.net.ip('link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'up0', 'netns', out.name);
  for (const [space, addresses] of [
    [host.net, HOST],
    [out, OUTSIDE],
  ] as const) {
    // Of the kernel's own making it would be tentative at first, and nobody is asked in its name.
    await space.ip('link', 'set', 'up0', 'addrgenmode', 'none');
    await space.ip('address', 'add', addresses === HOST ? 'fe80::1/64' : 'fe80::2/64', 'dev', 'up0', 'nodad');
    await space.ip('address', 'add', `${addresses[4]}/24`, 'dev', 'up0');
    await space.ip('address', 'add', `${addresses[6]}/64`, 'dev', 'up0', 'nodad');
    await space.ip('link', 'set', 'up0', 'up');
  }
  return out;
}

/** Answers TCP and UDP on a port until the test ends, with `name` in each answer. */
export async function serve(
  host: Host,
  space: Namespace,
  port: number,
  name: string,
  address = '::',
): Promise<void> {
  await host.serve([...space.enter, ...TALK, 'serve', String(port), address, name]).ready;
}

/**
 * Asks all at once, `tcp 192.0.2.1 80` or `udp 192.0.2.1 80 from 192.0.2.9`; of each the answer, such as
 * `tcp 10.99.0.2 at a`, or `-` if none came. With `never` before it, it does not wait long for one.
 */
export async function ask(from: Namespace, ...questions: readonly string[]): Promise<string[]> {
  const words = questions.flatMap((question) => question.split(' '));
  const { stdout } = await exec([...from.enter, ...TALK, 'ask', ...words]);
  return stdout.trimEnd().split('\n');
}

/** The four questions of both protocols and families: TCP and UDP by IPv4, then both by IPv6. */
export function questions(addresses: Pair, port: number): string[] {
  return ([4, 6] as const).flatMap((family) =>
    ['tcp', 'udp'].map((protocol) => `${protocol} ${addresses[family]} ${port}`),
  );
}

/** The same questions, which are not expected to be answered. */
export function never(asked: readonly string[]): string[] {
  return asked.map((question) => `never ${question}`);
}

/** What is expected of {@link questions}: the asker is seen under these addresses by the server of that name. */
export function seenAs(addresses: Pair, name: string): string[] {
  return ([4, 6] as const).flatMap((family) =>
    ['tcp', 'udp'].map((protocol) => `${protocol} ${addresses[family]} at ${name}`),
  );
}

/** No answer to any of {@link questions}. */
export const NO_ANSWERS = ['-', '-', '-', '-'];

/** Asks by UDP from one port, without a pause until the test ends; returns the last answer. */
export function keepAsking(host: Host, from: Namespace, address: string, port: number): () => string {
  const file = `${host.scratch}/answer-${address}-${port}`;
  writeFileSync(file, '');
  host.background(from, [...TALK, 'keep', address, String(port), file]);
  return () => readFileSync(file, 'utf8');
}
