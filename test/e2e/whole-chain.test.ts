import { rmSync } from 'node:fs';
import { describe, expect } from 'vitest';
import {
  type Added,
  type Config,
  type Host,
  hostTest,
  type Namespace,
  type Options,
  straceLines,
} from '../support/host.ts';
import { EXECUTABLES } from '../support/plugin.ts';
import {
  ask,
  HOST,
  never,
  OUTSIDE,
  outside,
  type Pair,
  questions,
  seenAs,
  serve,
} from '../support/traffic.ts';

// An attachment with every feature at once, and several of them on one host.

const LIMITS = {
  ingressRate: 100_000_000,
  ingressBurst: 1_000_000,
  egressRate: 50_000_000,
  egressBurst: 1_000_000,
};

/** Everything there is, for IPv4 and IPv6; `hostPort` leads to port 80 by TCP, UDP and SCTP, and its neighbour of one address. */
function everything(host: Host, hostPort: number): Config {
  const portMappings = [
    ...['tcp', 'udp', 'sctp'].map((protocol) => ({ hostPort, containerPort: 80, protocol })),
    ...[HOST[4], HOST[6]].map((hostIP) => ({ hostPort: hostPort + 1, containerPort: 80, hostIP })),
  ];
  return host.c46(
    {},
    {
      runtimeConfig: { portMappings, bandwidth: LIMITS },
      masqAll: hostPort % 2 === 1,
      antiSpoofing: true,
      ingressPolicy: 'isolated',
      sysctl: { 'net.ipv4.conf.IFNAME.arp_filter': '1', 'net.core.somaxconn': '517' },
      promisc: true,
      allmulti: true,
      txQLen: 517,
      mtu: 1400,
      mac: `02:00:5e:10:00:${hostPort % 100}`,
    },
  );
}

interface Attachment extends Options {
  readonly id: string;
  readonly config: Config;
}

const attachment = (host: Host, id: string, netns: Namespace, hostPort: number): Attachment => ({
  ...{ id, netns, config: everything(host, hostPort) },
});
const checking = (options: Attachment, prevResult: Added): Options => ({
  ...options,
  config: { ...options.config, prevResult },
});
const addressesOf = ({ ips }: Added): Pair => {
  const [four = '', six = ''] = ips.map(({ address }) => address.split('/')[0] ?? '');
  return { 4: four, 6: six };
};

describe.concurrent.each(EXECUTABLES)('%s', (name) => {
  const test = hostTest(name);

  test.for([
    ['unset', '-EPATH'],
    ['/nonexistent', '-EPATH=/nonexistent'],
  ] as const)('B65: with PATH %s everything works, and no program is started', async ([, path], { host }) => {
    const out = await outside(host);
    await serve(host, out, 7000, 'out');
    const pod = await host.pod();
    await serve(host, pod, 80, 'pod');
    // ADD would switch it on, and what the kernel then adds to the host's routes stays.
    await host.net.sh('echo 1 >/proc/sys/net/ipv6/conf/all/forwarding');
    const before = await host.snapshot();
    const trace = `${host.scratch}/trace`;
    const by = [
      'strace',
      '-f',
      '-qq',
      '-A',
      '-o',
      trace,
      path,
      '-e',
      'trace=execve,execveat,fork,vfork,clone,clone3',
    ];
    const options = { ...attachment(host, 'c1', pod, 8080), by };
    const prevResult = await host.add(pod, options);
    expect(await ask(out, ...questions(HOST, 8080))).toEqual(seenAs(OUTSIDE, 'pod'));
    expect(await ask(pod, ...questions(OUTSIDE, 7000))).toEqual(seenAs(HOST, 'out'));
    await host.ok('CHECK', checking(options, prevResult));
    await host.ok('STATUS', options);
    const valid = [{ containerID: 'c1', ifname: 'eth0' }];
    await host.ok('GC', { ...options, config: { ...options.config, 'cni.dev/valid-attachments': valid } });
    await host.ok('DEL', options);
    await host.expectClean(before);
    const lines = straceLines(trace);
    expect(lines.filter((line) => /^execve/.test(line))).toEqual(
      Array.from({ length: 5 }, () => expect.stringMatching(new RegExp(`^execve\\("[^"]*/dist/${name}", `))),
    );
    // New threads, but no new process.
    expect(lines.filter((line) => /^(v?fork|clone)/.test(line) && !line.includes('CLONE_THREAD'))).toEqual(
      [],
    );
  });

  test('DEL removes rules, then links in one request, then leases, then the record; the sockets of the rules it closes last', async ({
    host,
  }) => {
    const pod = await host.pod();
    const options = attachment(host, 'c1', pod, 8080);
    await host.add(pod, options);
    const trace = `${host.scratch}/trace`;
    const calls = 'trace=socket,close,sendto,sendmsg,unlink,unlinkat,rename,renameat,renameat2';
    await host.ok('DEL', { ...options, by: ['strace', '-f', '-qq', '-s', '500', '-o', trace, '-e', calls] });
    // Each netlink socket by its number, for its descriptor may be another's later.
    const sockets = new Map<string, string>();
    let count = 0;
    const events = straceLines(trace).flatMap((line) => {
      const opened = /^socket\(AF_NETLINK, .*?, NETLINK_(\w+)\) += (\d+)/.exec(line);
      if (opened !== null) {
        sockets.set(opened[2] ?? '', `${opened[1]} ${count++}`);
        return [];
      }
      const [, call = '', fd = ''] = /^(\w+)\((\d*)/.exec(line) ?? [];
      const socket = sockets.get(fd);
      if (call === 'close') {
        sockets.delete(fd);
        return socket?.startsWith('NETFILTER') === true ? [`close ${socket}`] : [];
      }
      if (call.startsWith('send')) {
        const [deletion] = /NFT_MSG_DELSETELEM|RTM_DELLINK|IPCTNL_MSG_CT_DELETE/.exec(line) ?? [];
        return deletion === undefined
          ? []
          : [`${deletion} ${deletion === 'RTM_DELLINK' ? '' : socket}`.trim()];
      }
      const [, file = ''] = /^unlink.*\/(D\/t\/[0-9a-f.:]+|run\/t\/\w+)(?:\.json)?"/.exec(line) ?? [];
      return file === '' ? [] : [`unlink ${file.replace(/plumb\w+/, 'record')}`];
    });
    const rules = events.filter((event) => event.startsWith('NFT_MSG_DELSETELEM'));
    // The guard, masquerading, ports: each a transaction and a socket of its own.
    expect(rules).toHaveLength(3);
    const kept = rules.map((event) => event.replace('NFT_MSG_DELSETELEM', 'close'));
    const rest = events.filter((event) => !rules.includes(event) && !/^close|^IPCTNL/.test(event));
    expect(rest).toEqual([
      'RTM_DELLINK',
      'unlink D/t/10.99.0.2',
      'unlink D/t/fd99::2',
      'unlink run/t/record',
    ]);
    const at = (event: string): number => events.indexOf(event);
    for (const rule of rules) expect(at(rule)).toBeLessThan(at('RTM_DELLINK'));
    // Flows go when nothing would lead new ones to the container, and before its address is another's.
    const flows = events.flatMap((event, i) => (event.startsWith('IPCTNL') ? [i] : []));
    expect(flows.length).toBeGreaterThan(0);
    for (const i of flows) {
      expect(i).toBeGreaterThan(Math.max(...rules.map(at)));
      expect(i).toBeLessThan(at('RTM_DELLINK'));
    }
    expect(events.slice(-kept.length).sort()).toEqual(kept.sort());
  });

  test('DEL, GC and a failed ADD of one container never touch what another has, with its record or without', async ({
    host,
  }) => {
    const out = await outside(host);
    await serve(host, out, 7000, 'out');
    const [a, b] = [await host.pod(), await host.pod()];
    await serve(host, a, 80, 'a');
    await serve(host, b, 80, 'b');
    const ofA = attachment(host, 'a', a, 8080);
    const ofB = attachment(host, 'b', b, 9091);
    const prevResult = await host.add(a, ofA);
    const state = async (recorded: boolean): Promise<unknown> => {
      const { files, ...rest } = await host.snapshot();
      const ruleset = await host.net.run('nft', 'list', 'ruleset');
      const qdiscs = await host.net.run('tc', 'qdisc');
      return {
        ...rest,
        ruleset,
        qdiscs,
        files: recorded ? files : files.filter((file) => !file.endsWith('.json')),
      };
    };
    const onlyA = { true: await state(true), false: await state(false) };
    const valid = [{ containerID: 'a', ifname: 'eth0' }];
    const gc = { config: { ...ofA.config, 'cni.dev/valid-attachments': valid } };
    const loseRecords = (): void => rmSync(host.runDir, { recursive: true });
    const endings: readonly (readonly [string, () => Promise<void>])[] = [
      ['DEL', () => host.ok('DEL', ofB)],
      ['GC', () => host.ok('GC', gc)],
      [
        'DEL without records',
        async () => {
          loseRecords();
          await host.ok('DEL', ofB);
        },
      ],
    ];
    let record = true;
    for (const [how, end] of name === 'plumb' ? endings : endings.slice(1)) {
      const added = await host.add(b, ofB);
      // Each has its own ports, and reaches the outside; isolated containers do not reach each other.
      expect(await ask(out, ...questions(HOST, 8080), ...questions(HOST, 9091))).toEqual([
        ...seenAs(OUTSIDE, 'a'),
        ...seenAs({ 4: '10.99.0.1', 6: 'fd99::1' }, 'b'),
      ]);
      const answers = await ask(a, ...questions(OUTSIDE, 7000), ...never(questions(addressesOf(added), 80)));
      expect(answers).toEqual([...seenAs(HOST, 'out'), '-', '-', '-', '-']);
      await end();
      record &&= !how.endsWith('records');
      expect(await state(record), how).toEqual(onlyA[`${record}`]);
      expect(await ask(out, ...questions(HOST, 8080), 'never tcp 203.0.113.1 9091')).toEqual([
        ...seenAs(OUTSIDE, 'a'),
        '-',
      ]);
      if (record) await host.ok('CHECK', checking(ofA, prevResult));
    }
    // One that asks for a port of a's, in the last step of an ADD that has done all others.
    const wrong = attachment(host, 'b', b, 8079);
    expect(await host.refused('ADD', wrong)).toMatchObject({
      code: 105,
      msg: expect.stringContaining('container a eth0 of network t'),
    });
    expect(await state(false)).toEqual(onlyA.false);
    await host.ok('DEL', ofA);
  });
});
