import { type Command, InvalidArgumentError } from 'commander';
import { ConfigError } from '../../../src/errors.ts';
import { formatIp } from '../../../src/ip/address.ts';
import { type ConfDirOption, confDirOf, withConfDir } from '../conf-dir.ts';
import { ExitCode } from '../exit-code.ts';
import { otherFirewalls } from '../foreign-firewalls.ts';
import { takeInventory } from '../inventory.ts';
import { netnsPath } from '../open-netns.ts';
import type { Output } from '../output.ts';
import type { Hop } from '../trace/hop.ts';
import { type Reality, sendFrom } from '../trace/reality.ts';
import { parseTarget, type Target } from '../trace/target.ts';
import { type KnownContainer, walk } from '../trace/walk.ts';
import type { AddCommand } from './all.ts';

interface Options extends ConfDirOption {
  readonly udp?: boolean;
  readonly send?: boolean;
}

/** `plumb trace NETNS ADDRESS[:PORT]`: the way of a packet from a container, and where it stops. */
export const trace: AddCommand = (program, out) => {
  withConfDir(program.command('trace'))
    .description('show the way that a packet takes from a container, and where it stops')
    .argument('<netns>', 'network namespace of the container: path, name below /run/netns, or process id')
    .argument('<address>', 'where the packet goes: ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT', toTarget)
    .option('--udp', 'UDP rather than TCP')
    .option('--send', 'send a real packet, too, and tell what comes of it')
    .action((given: string, { address, port }: Target, options: Options, command: Command) => {
      const protocol = options.udp === true ? 'udp' : 'tcp';
      const netns = netnsPath(given);
      const packet = { protocol, to: address, ...(port === undefined ? {} : { port }) } as const;
      if (options.send === true && port === undefined)
        command.error('error: --send needs a port: ADDRESS:PORT');
      const hops = walk(netns, packet, {
        containerOf: containers(confDirOf(options)),
        firewalls: otherFirewalls(),
      });
      const reality =
        options.send === true && port !== undefined ? sendFrom(netns, protocol, address, port) : undefined;
      const arrives = isArriving(hops, reality);
      if (!arrives) out.exitCode = ExitCode.wrong;
      const value = {
        netns,
        protocol,
        address: formatIp(address),
        ...(port === undefined ? {} : { port }),
        arrives,
        hops,
        ...(reality === undefined ? {} : { sent: reality }),
      };
      out.data(value, () => describe(out, hops, reality));
    });
};

function toTarget(text: string): Target {
  try {
    return parseTarget(text);
  } catch (error) {
    if (error instanceof ConfigError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

/** What was seen counts more than what was reckoned. */
function isArriving(hops: readonly Hop[], reality: Reality | undefined): boolean {
  if (reality !== undefined && reality.arrived !== 'unknown') return reality.arrived === 'yes';
  return hops.at(-1)?.outcome !== 'stops';
}

function containers(confDir: string): (hostEnd: string) => KnownContainer | undefined {
  const { attachments } = takeInventory(confDir);
  const byHostEnd = new Map(attachments.map((attachment) => [attachment.hostName, attachment]));
  return (hostEnd) => {
    const attachment = byHostEnd.get(hostEnd);
    if (attachment === undefined) return undefined;
    const { containerId, ifname, namespace, record } = attachment;
    return { containerId, ifname, netns: namespace === 'alive' ? record?.netns.path : undefined };
  };
}

const MARKS = { ok: 'green', unsure: 'yellow', stops: 'red' } as const;

function describe(out: Output, hops: readonly Hop[], reality: Reality | undefined): string {
  const lines = hops.map(({ where, outcome, what, remedy }) => {
    const mend = remedy === undefined ? '' : `; to mend it: ${remedy}`;
    return `${out.style(MARKS[outcome], outcome.padEnd(6))}  ${where}: ${what}${mend}`;
  });
  if (reality === undefined) return lines.join('\n');
  const style = { yes: 'green', no: 'red', unknown: 'yellow' } as const;
  return [...lines, `${out.style(style[reality.arrived], 'sent  ')}  ${reality.what}`].join('\n');
}
