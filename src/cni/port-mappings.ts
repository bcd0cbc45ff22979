import { type IpAddress, parseIp } from '../ip/address.ts';
import { notAllowed } from './validate.ts';

/** A port of the host that is to lead to the container, as runtimes ask for it (capability `portMappings`). */
export interface PortRequest {
  readonly hostPort: number;
  readonly containerPort: number;
  /** IPPROTO_*: tcp 6, udp 17, sctp 132. */
  readonly protocol: number;
  /** The one address of the host; every one if it is left out. An unspecified address means every one of its family. */
  readonly hostIp?: IpAddress;
}

/** One of `runtimeConfig.portMappings` as JSON has it. */
export interface RawPortMapping {
  hostPort: number;
  containerPort: number;
  protocol?: string | null | undefined;
  hostIP?: string | null | undefined;
}

const PROTOCOLS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 };

/**
 * Checks the port mappings of a runtime: those that are there twice count once; without protocol it is TCP.
 *
 * @throws ConfigError with the path of the value at fault
 */
export function checkedPortMappings(raw: readonly RawPortMapping[] | null | undefined): PortRequest[] {
  const requests: PortRequest[] = [];
  for (const [i, item] of (raw ?? []).entries()) {
    const path = `runtimeConfig.portMappings[${i}]`;
    const name = item.protocol ?? '';
    const protocol = name === '' ? PROTOCOLS['tcp'] : PROTOCOLS[name.toLowerCase()];
    if (protocol === undefined) throw notAllowed(`${path}.protocol`, name, 'tcp, udp or sctp');
    const text = item.hostIP ?? '';
    const hostIp = text === '' ? undefined : parseIp(text);
    if (text !== '' && hostIp === undefined) {
      throw notAllowed(`${path}.hostIP`, text, 'an IP address of the host, or nothing for every one');
    }
    const request: PortRequest = {
      hostPort: item.hostPort,
      containerPort: item.containerPort,
      protocol,
      ...(hostIp === undefined ? {} : { hostIp }),
    };
    const same = requests.find((other) => isSamePort(other, request));
    if (same === undefined) requests.push(request);
    else if (same.containerPort !== request.containerPort) {
      throw notAllowed(
        `${path}.hostPort`,
        item.hostPort,
        'a port that is not mapped to another one in this list',
      );
    }
  }
  return requests;
}

function isSamePort(a: PortRequest, b: PortRequest): boolean {
  return (
    a.hostPort === b.hostPort &&
    a.protocol === b.protocol &&
    a.hostIp?.family === b.hostIp?.family &&
    a.hostIp?.value === b.hostIp?.value
  );
}
