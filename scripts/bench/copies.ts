import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import type { BenchHost } from './host.ts';

const LEASES = '/run/leases';
const CONTAINERS_PER_NAMESPACE = 100;

/** A container, by what stands in rules, leases and names for it. */
interface Marks {
  readonly id: string;
  readonly ip: string;
  readonly port: number;
  /** What stands for it in names of chains and comments: hexadecimal digits. */
  readonly hash: string;
}

/**
 * Gives a host more containers like the one that the reference plugins have made there, the first of its network: the same
 * rules, leases, links, addresses, routes and limits. To have the plugins make a thousand takes a quarter of an hour.
 *
 * @param port the first container's host port; those of the others follow
 * @param size how many there are in the end
 */
export function copyFirst(
  host: BenchHost,
  backend: 'iptables' | 'nftables',
  network: string,
  port: number,
  size: number,
): void {
  const ip = addressOf(0);
  const [id = ''] = readFileSync(`${LEASES}/${network}/${ip}`, 'utf8').split('\r\n');
  const others = Array.from({ length: size - 1 }, (_, i) => marksOf(network, i + 1, port));
  const run = (argv: readonly [string, ...string[]], input = ''): string => {
    const [program, ...args] = argv;
    return host.inside(() => execFileSync(program, args, { input, encoding: 'utf8', maxBuffer: 2 ** 26 }));
  };
  if (backend === 'iptables') {
    const rules = run(['iptables-save', '-t', 'nat']);
    const hash = captured(/-j CNI-DN-(\w+)/, rules);
    const like = linesLike({ id, ip, port, hash }, rules.split('\n'));
    const lines = others.flatMap(like);
    run(['iptables-restore', '--noflush'], `*nat\n${lines.join('\n')}\nCOMMIT\n`);
  } else {
    const rules = run(['nft', 'list', 'ruleset']);
    const hash = captured(/comment "\w+-(\w+), net/, rules);
    const like = linesLike({ id, ip, port, hash }, nftCommands(rules));
    run(['nft', '-f', '-'], others.flatMap(like).join('\n'));
  }
  makeLinks(host, network, others, run);
  for (const other of others) writeFileSync(`${LEASES}/${network}/${other.ip}`, `${other.id}\r\neth0`);
  writeFileSync(`${LEASES}/${network}/last_reserved_ip.0`, addressOf(size - 1));
}

function addressOf(i: number): string {
  return `10.64.${(i + 2) >> 8}.${(i + 2) & 255}`;
}

function marksOf(network: string, i: number, port: number): Marks {
  const hash = i.toString(16).padStart(21, '0');
  return { id: `${network}-there-${i}`, ip: addressOf(i), port: port + i, hash };
}

function captured(pattern: RegExp, text: string): string {
  const [, found] = pattern.exec(text) ?? [];
  if (found === undefined)
    throw new Error(`the reference writes its rules in another way now: no ${pattern}`);
  return found;
}

/** The lines that are about one container; the function that is returned writes them for another. */
function linesLike(first: Marks, lines: readonly string[]): (other: Marks) => string[] {
  const mark = new RegExp(
    `(${first.id}\\b)|(\\b${first.ip.replaceAll('.', '\\.')}\\b)|(${first.hash})|(\\b${first.port}\\b)`,
    'g',
  );
  const own = lines.filter((line) => line.search(mark) >= 0);
  return (other) =>
    own.map((line) =>
      line.replace(mark, (_, id?: string, ip?: string, hash?: string) => {
        if (id !== undefined) return other.id;
        if (ip !== undefined) return other.ip;
        return hash === undefined ? String(other.port) : other.hash;
      }),
    );
}

/** The rules of a listing, each as the command that adds it. */
function nftCommands(listing: string): string[] {
  const commands: string[] = [];
  let table = '';
  let chain = '';
  for (const line of listing.split('\n').map((text) => text.trim())) {
    table = /^table (.*) \{$/.exec(line)?.[1] ?? table;
    chain = /^chain (.*) \{$/.exec(line)?.[1] ?? chain;
    commands.push(`add rule ${table} ${chain} ${line}`);
  }
  return commands;
}

function makeLinks(
  host: BenchHost,
  network: string,
  others: readonly Marks[],
  run: (argv: readonly [string, ...string[]], input?: string) => string,
): void {
  const tbf = 'root handle 1: tbf rate 100mbit burst 1250000 latency 25ms';
  for (let first = 0; first < others.length; first += CONTAINERS_PER_NAMESPACE) {
    const netns = `${network}-copies-${first}`;
    host.container(netns);
    const links: string[] = [];
    const limits: string[] = [];
    const ends: string[] = [];
    others.slice(first, first + CONTAINERS_PER_NAMESPACE).forEach(({ ip }, i) => {
      const [veth, ifb, end] = [`vethcopy${first + i}`, `bwpcopy${first + i}`, `eth${i}`];
      links.push(
        `link add ${veth} type veth peer name ${end} netns ${netns}`,
        `link set ${veth} up`,
        `address add 10.64.0.1/32 dev ${veth}`,
        `route add ${ip} dev ${veth} scope host`,
        `link add ${ifb} type ifb`,
        `link set ${ifb} up`,
      );
      limits.push(
        `qdisc add dev ${veth} ${tbf}`,
        `qdisc add dev ${veth} ingress`,
        `filter add dev ${veth} parent ffff: protocol all pref 1 u32 match u32 0 0 flowid 1:1 action mirred egress redirect dev ${ifb}`,
        `qdisc add dev ${ifb} ${tbf}`,
      );
      ends.push(`link set ${end} up`, `address add ${ip}/10 dev ${end}`);
    });
    run(['ip', '-batch', '-'], links.join('\n'));
    run(['tc', '-batch', '-'], limits.join('\n'));
    run(['ip', '-netns', netns, '-batch', '-'], ends.join('\n'));
  }
}
