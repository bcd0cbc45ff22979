import { ConfigError } from '../../../src/errors.ts';
import { type IpAddress, parseIp } from '../../../src/ip/address.ts';

/** Where a packet is to go. */
export interface Target {
  readonly address: IpAddress;
  /** Absent for a packet without ports. */
  readonly port?: number;
}

/**
 * Parses `ADDRESS`, `ADDRESS:PORT` or, for IPv6 with a port, `[ADDRESS]:PORT`.
 * Throws {@link ConfigError} for what is none of them.
 */
export function parseTarget(text: string): Target {
  const [, bracketed, rest] = /^\[(.*)\](?::(\d{1,5}))?$/.exec(text) ?? [];
  const [, plain, plainPort] = /^([^:]*):(\d{1,5})$/.exec(text) ?? [];
  const address = parseIp(bracketed ?? plain ?? text);
  const digits = bracketed === undefined ? plainPort : rest;
  const port = digits === undefined ? undefined : Number(digits);
  if (address === undefined || port === 0 || (port ?? 0) > 65535)
    throw new ConfigError(
      'ADDRESS',
      `${text} is no address, with or without a port: 10.1.0.2:80, [fd00::2]:80`,
    );
  return { address, ...(port === undefined ? {} : { port }) };
}
