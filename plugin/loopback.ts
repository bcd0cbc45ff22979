import type { NetworkConfig } from '../src/cni/config.ts';
import type { Environment } from '../src/cni/environment.ts';
import { CniError } from '../src/cni/error.ts';
import { encodeResult, type Result } from '../src/cni/result.ts';
import type { Connection } from '../src/netlink/conn.ts';
import { addAddress, listAddresses } from '../src/netlink/ops/addresses.ts';
import { getLink, setLink } from '../src/netlink/ops/links.ts';
import { connect } from '../src/netlink/socket.ts';
import { withSandbox } from './sandbox.ts';

const LOOPBACK = 'lo';
const IPV4 = { address: '127.0.0.1', prefixLength: 8 };
const IPV6 = { address: '::1', prefixLength: 128 };
const NO_MAC = '00:00:00:00:00:00';

/**
 * Whether a call is for the loopback plugin: by the configuration, or by the name of the executable, which is only looked at
 * where the configuration does not name plumb itself.
 */
export function isLoopback(readProgramName: () => string, { type }: NetworkConfig): boolean {
  return type === 'loopback' || (type !== 'plumb' && readProgramName() === 'loopback');
}

/**
 * The loopback plugin: ADD brings `lo` in the container up, CHECK looks whether it is. What the runtime calls the
 * interface does not matter. There is never anything to collect, and always everything there, so GC and STATUS
 * succeed. So does DEL, which unlike the reference's does not take `lo` down: it goes with its namespace, and the
 * path may by now lead to another container's.
 *
 * Returns what is to be printed. Throws {@link CniError} 4 for a namespace that is none or is the host's own, 102 from
 * CHECK.
 */
export function loopback(env: Environment, config: NetworkConfig): string {
  switch (env.command) {
    case 'ADD':
      return encodeResult(add(env, config), config.cniVersion);
    case 'CHECK':
      check(env);
      return '';
    default:
      return '';
  }
}

function add(env: Environment, config: NetworkConfig): Result {
  const own = inside(env.netns, (conn): Result => {
    const { index, mac = NO_MAC, mtu } = getLink(conn, LOOPBACK);
    setLink(conn, index, { up: true });
    // The kernel has just added both if there was none; one that was up already may have lost this one.
    if (!has(conn, index, IPV4)) addAddress(conn, { ifindex: index, ...IPV4 });
    const present = has(conn, index, IPV6) ? [IPV4, IPV6] : [IPV4];
    return {
      interfaces: [{ name: LOOPBACK, mac, ...(mtu === undefined ? {} : { mtu }), sandbox: env.netns }],
      ips: present.map((ip) => ({ address: `${ip.address}/${ip.prefixLength}`, interface: 0 })),
      routes: [],
      dns: {},
    };
  });
  return config.prevResult ?? own;
}

function check(env: Environment): void {
  const faults = inside(env.netns, (conn) => {
    const { index, up } = getLink(conn, LOOPBACK);
    if (!up) return [`interface ${LOOPBACK} is down`];
    return has(conn, index, IPV4) ? [] : [`address ${IPV4.address} is missing on ${LOOPBACK}`];
  });
  if (faults.length > 0) throw new CniError(102, `${env.netns}: ${faults.join('; ')}`);
}

function inside<T>(netns: string, fn: (conn: Connection) => T): T {
  return withSandbox(netns, ({ netnsFd }) => {
    const conn = connect({ netnsFd });
    try {
      return fn(conn);
    } finally {
      conn.close();
    }
  });
}

function has(conn: Connection, ifindex: number, wanted: typeof IPV4): boolean {
  return listAddresses(conn, ifindex).some(
    ({ address, prefixLength }) => address === wanted.address && prefixLength === wanted.prefixLength,
  );
}
