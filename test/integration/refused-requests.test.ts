import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { add } from '../../plugin/add.ts';
import { check } from '../../plugin/check.ts';
import { toCniError } from '../../plugin/cni-error.ts';
import { del } from '../../plugin/del.ts';
import type { Ipam } from '../../plugin/ipam/ipam.ts';
import { openIpam } from '../../plugin/ipam/open.ts';
import { type NetworkConfig, parseNetworkConfig } from '../../src/cni/config.ts';
import { type Environment, parseEnvironment } from '../../src/cni/environment.ts';
import { NLM_F_ACK } from '../../src/netlink/abi/netlink.ts';
import { NFT_MSG_GETGEN } from '../../src/netlink/abi/nf_tables.ts';
import { NFNL_SUBSYS_NFTABLES } from '../../src/netlink/abi/nfnetlink.ts';
import { IPCTNL_MSG_CT_DELETE, NFNL_SUBSYS_CTNETLINK } from '../../src/netlink/abi/nfnetlink_conntrack.ts';
import type * as libc from '../../src/sys/libc.ts';
import { makeNetns, type Netns, run } from '../support/netns.ts';

// The nth netlink message that asks for an answer, single or in a batch, gets a type that the kernel refuses.
const spoiler = vi.hoisted(() => ({ left: 0, type: 0 }));
const UNKNOWN_TYPE = 0xffe;
const NFT_GETGEN = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN;
const CT_DELETE = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE;

vi.mock('../../src/sys/libc.ts', async (original) => {
  const real = await original<typeof libc>();
  const sendto: typeof libc.sendto = (fd, datagram, flags, address) => {
    const sent = datagram.slice();
    const view = new DataView(sent.buffer);
    for (let offset = 0; offset < sent.length; offset += (view.getUint32(offset, true) + 3) & ~3) {
      const wantsAnswer = (view.getUint16(offset + 6, true) & NLM_F_ACK) !== 0;
      if (!wantsAnswer || --spoiler.left !== 0) continue;
      spoiler.type = view.getUint16(offset + 4, true);
      view.setUint16(offset + 4, UNKNOWN_TYPE, true);
    }
    return real.sendto(fd, sent, flags, address);
  };
  return { ...real, sendto };
});

let pod: Netns;
let folder: string;
let env: Environment;

beforeEach(() => {
  // A foreign firewall, whose chain is to accept what is forwarded.
  run('nft', 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; }');
  pod = makeNetns();
  folder = mkdtempSync('/run/refused-');
  env = parseEnvironment({
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'c1',
    CNI_NETNS: pod.path,
    CNI_IFNAME: 'eth0',
    CNI_PATH: '/',
  });
});
afterEach(() => {
  spoiler.left = 0;
  run('nft', 'delete', 'table', 'ip', 'filter');
  pod.remove();
  rmSync(folder, { recursive: true });
});

const config = (more: object = {}): NetworkConfig =>
  parseNetworkConfig(
    JSON.stringify({
      cniVersion: '1.1.0',
      name: 'net',
      type: 'plumb',
      ipMasq: true,
      antiSpoofing: true,
      ingressPolicy: 'isolated',
      markAcceptBit: 16,
      runtimeConfig: {
        portMappings: [
          { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
          { hostPort: 5353, containerPort: 53, protocol: 'udp' },
        ],
      },
      runDir: `${folder}/run`,
      ipam: {
        type: 'host-local',
        dataDir: `${folder}/leases`,
        ranges: [[{ subnet: '10.99.0.0/28' }], [{ subnet: 'fd99::/64' }]],
        routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
      },
      ...more,
    }),
    'ADD',
  );

const ipam = (): Ipam => openIpam(config(), { document: '', path: '' });

function state(): string {
  return [
    run('ip', '-o', 'addr'),
    run('ip', 'route'),
    run('ip', '-6', 'route'),
    pod.ip('-o', 'addr'),
    run('nft', 'list', 'ruleset'),
    ...readdirSync(`${folder}/leases/net`).filter((name) => /\d[.:]/.test(name)),
    ...readdirSync(`${folder}/run/net`),
  ].join('\n');
}

test('B07: whichever netlink message of an ADD the kernel refuses, nothing is left and the error says which', () => {
  add(env, config(), ipam());
  del(env, config(), ipam());
  const before = state();
  let refused = 0;
  for (; ; refused++) {
    spoiler.left = refused + 1;
    try {
      add(env, config(), ipam());
    } catch (error) {
      expect(spoiler.left).toBeLessThanOrEqual(0);
      const { code, message } = toCniError(error);
      expect(code).toBe(102);
      expect(message).toMatch(/^.+: (RTM|NFT)_\w+: E\w+/);
      expect(state(), message).toBe(before);
      continue;
    }
    // The look-up of a route is advice: without it the address counts as free.
    if (spoiler.left > 0) break;
    spoiler.left = 0;
    del(env, config(), ipam());
    expect(state()).toBe(before);
  }
  spoiler.left = 0;
  expect(refused).toBeGreaterThan(20);
  del(env, config(), ipam());
  expect(state()).toBe(before);
});

test('whichever netlink message of a DEL the kernel refuses, it says so and keeps the lease; the next DEL finishes', () => {
  del(env, config(), ipam());
  add(env, config(), ipam());
  del(env, config(), ipam());
  const before = state();
  for (let n = 1; ; n++) {
    const [leased = ''] = add(env, config(), ipam()).result.ips.map(
      ({ address }) => address.split('/')[0] ?? '',
    );
    spoiler.left = n;
    let failed = false;
    try {
      del(env, config(), ipam());
    } catch (error) {
      failed = true;
      expect(toCniError(error).code).toBe(102);
      expect(readdirSync(`${folder}/leases/net`)).toContain(leased);
      expect(readdirSync(`${folder}/run/net`)).toHaveLength(1);
    }
    const spoiled = spoiler.left <= 0;
    spoiler.left = 0;
    // A kernel without nf_tables answers like that when it is asked for the ruleset's generation: there is nothing, then.
    // One that cannot delete by filter answers like that, too: there is another way.
    const otherwise = [NFT_GETGEN, CT_DELETE].includes(spoiler.type);
    expect(failed, `message ${n} of type ${spoiler.type}`).toBe(spoiled && !otherwise);
    del(env, config(), ipam());
    expect(state()).toBe(before);
    if (!spoiled) break;
  }
});

test('whichever netlink message of a CHECK the kernel refuses, it is an error and never a pass', () => {
  const { result } = add(env, config(), ipam());
  for (let n = 1; ; n++) {
    spoiler.left = n;
    let failed = false;
    try {
      check(env, { ...config(), prevResult: result }, ipam());
    } catch (error) {
      failed = true;
      expect(toCniError(error).code).toBe(102);
    }
    const spoiled = spoiler.left <= 0;
    spoiler.left = 0;
    expect(failed).toBe(spoiled);
    if (!spoiled) break;
  }
  del(env, config(), ipam());
});
