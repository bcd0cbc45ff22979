import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makeNetns, type Netns, run } from '../support/netns.ts';
import { callPlugin, expectDone, INSTALLED, type Outcome, resultOf } from '../support/plugin.ts';

const TALK = join(import.meta.dirname, '../support/talk.ts');
const HOST = { 4: '198.51.100.1', 6: '2001:db8::1' } as const;

let outside: Netns;
let folder: string;
let pods: Netns[] = [];
let servers: ChildProcess[] = [];

// The test's own namespace is the host; behind its uplink is another machine that has no route to the containers.
beforeAll(() => {
  outside = makeNetns();
  run('ip', 'link', 'add', 'uplink', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', outside.name);
  run('ip', 'addr', 'add', `${HOST[4]}/24`, 'dev', 'uplink');
  run('ip', 'addr', 'add', `${HOST[6]}/64`, 'dev', 'uplink', 'nodad');
  run('ip', 'link', 'set', 'uplink', 'up');
  outside.ip('addr', 'add', '198.51.100.2/24', 'dev', 'eth0');
  outside.ip('addr', 'add', '2001:db8::2/64', 'dev', 'eth0', 'nodad');
  outside.ip('link', 'set', 'eth0', 'up');
});
afterAll(() => {
  run('ip', 'link', 'del', 'uplink');
  outside.remove();
});
beforeEach(() => {
  folder = mkdtempSync('/run/ports-');
});
afterEach(async () => {
  for (const server of servers) {
    server.kill('SIGKILL');
    await once(server, 'close');
  }
  servers = [];
  for (const pod of pods) pod.remove();
  pods = [];
  rmSync(folder, { recursive: true });
});

function newPod(): Netns {
  const pod = makeNetns();
  pods.push(pod);
  return pod;
}

async function serve(netns: Netns | undefined, port: number, address = '::'): Promise<void> {
  const inside = netns === undefined ? [] : ['ip', 'netns', 'exec', netns.name];
  const [program = '', ...args] = [...inside, process.execPath, TALK, 'serve', String(port), address];
  const server = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  servers.push(server);
  await once(server.stdout, 'data');
}

/** What the server answered, or undefined if nobody did. */
function ask(from: Netns | undefined, protocol: string, address: string, port: number): string | undefined {
  const inside = from === undefined ? [] : ['ip', 'netns', 'exec', from.name];
  const [program = '', ...args] = [
    ...inside,
    process.execPath,
    TALK,
    'ask',
    ...protocol.split(' '),
    address,
    String(port),
  ];
  const { status, stdout } = spawnSync(program, args, { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

const config = (portMappings: readonly object[], more: object = {}): Record<string, unknown> => ({
  cniVersion: '1.1.0',
  name: 'net',
  type: 'plumb',
  ipMasq: true,
  capabilities: { portMappings: true },
  runtimeConfig: { portMappings },
  runDir: `${folder}/run`,
  ipam: {
    type: 'host-local',
    dataDir: `${folder}/leases`,
    ranges: [[{ subnet: '10.99.0.0/24' }], [{ subnet: 'fd99::/64' }]],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
  },
  ...more,
});
const WEB = [
  { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
  { hostPort: 8080, containerPort: 80, protocol: 'udp' },
];
const ruleset = (): string => run('nft', 'list', 'table', 'inet', 'plumb-ports');

describe.each(INSTALLED)('%s', (name) => {
  const call = (command: string, stdin: unknown, containerId: string, netns: Netns): Outcome =>
    callPlugin(name, { command, stdin, containerId, netns: netns.path });
  const added = (stdin: unknown, containerId: string, netns: Netns) =>
    resultOf(call('ADD', stdin, containerId, netns));
  const refused = (outcome: Outcome): { code: number; msg: string } => {
    expect(outcome.status).toBe(1);
    return JSON.parse(outcome.stdout);
  };

  test('B67, B68: a port is reached from outside, from the host, from 127.0.0.1, from a sibling and from itself', async () => {
    const [a, b] = [newPod(), newPod()];
    const prevResult = added(config(WEB), 'a', a);
    added(config([]), 'b', b);
    await serve(a, 80);
    for (const protocol of ['tcp', 'udp']) {
      expect(ask(outside, protocol, HOST[4], 8080)).toBe(`${protocol} 198.51.100.2`);
      expect(ask(outside, protocol, HOST[6], 8080)).toBe(`${protocol} 2001:db8::2`);
      expect(ask(undefined, protocol, HOST[4], 8080)).toMatch(protocol);
      expect(ask(undefined, protocol, HOST[6], 8080)).toMatch(protocol);
      expect(ask(undefined, protocol, '127.0.0.1', 8080)).toBe(`${protocol} 10.99.0.1`);
      expect(ask(b, protocol, HOST[4], 8080)).toBe(`${protocol} 10.99.0.3`);
      expect(ask(b, protocol, HOST[6], 8080)).toBe(`${protocol} fd99::3`);
      expect(ask(a, protocol, HOST[4], 8080)).toBe(`${protocol} 10.99.0.1`);
      expect(ask(a, protocol, HOST[6], 8080)).toMatch(protocol);
    }
    // What must not pass: a port that is not mapped, and the container's own port on the host.
    expect(ask(outside, 'never tcp', HOST[4], 8081)).toBeUndefined();
    expect(ask(outside, 'never tcp', HOST[4], 80)).toBeUndefined();
    expectDone(call('CHECK', config(WEB, { prevResult }), 'a', a));
    expectDone(call('DEL', config(WEB), 'a', a));
    expect(ask(outside, 'never tcp', HOST[4], 8080)).toBeUndefined();
    expect(ruleset()).not.toContain('elements');
    expectDone(call('DEL', config([]), 'b', b));
  });

  test('B74: a port of a live container is refused and names it, one of a dead container is taken over', () => {
    const [a, b, c] = [newPod(), newPod(), newPod()];
    const both = [
      { HostPort: 2049, ContainerPort: 2049, Protocol: 'TCP' },
      { HostPort: 2049, ContainerPort: 2049, Protocol: 'udp' },
      { HostPort: 2049, ContainerPort: 2049, Protocol: 'sctp' },
    ];
    const { interfaces } = added(config(both), 'a', a);
    const other = config([{ hostPort: 9999, containerPort: 1 }, ...both.slice(0, 1)]);
    expect(refused(call('ADD', other, 'b', b))).toEqual({
      cniVersion: '1.1.0',
      code: 105,
      msg: 'host port 2049/tcp is mapped to container a eth0 of network net already',
    });
    expect(ruleset()).not.toContain('9999');
    expect(ruleset().match(/2049 comment/g)).toHaveLength(6);
    // It dies without a DEL.
    run('ip', 'link', 'del', interfaces[0].name);
    added(other, 'b', b);
    expect(ruleset()).toContain('tcp . 2049 comment');
    // Its late DEL does not touch what another has by now.
    expectDone(call('DEL', config(both), 'a', a));
    expect(ruleset().match(/2049 comment/g)).toHaveLength(2);
    expectDone(call('DEL', other, 'b', b));
    expect(ruleset()).not.toContain('elements');
    for (const [mapping, message] of [
      [
        { hostPort: 1, containerPort: 1, protocol: 'icmp' },
        /protocol: "icmp" is not allowed; allowed: tcp, udp or sctp/,
      ],
      [{ hostPort: 0, containerPort: 1 }, /portMappings\[0\].hostPort: 0 is not allowed/],
      [{ hostPort: 1, containerPort: 70000 }, /containerPort: 70000 is not allowed/],
      [{ hostPort: 1, containerPort: 1, hostIP: 'here' }, /hostIP: "here" is not allowed/],
    ] as const) {
      const error = refused(call('ADD', config([mapping]), 'c', c));
      expect(error.code).toBe(7);
      expect(error.msg).toMatch(message);
    }
    const words = config([], { conditionsV4: ['-d', '192.0.2.0/24'] });
    expect(refused(call('ADD', words, 'c', c))).toMatchObject({
      code: 7,
      msg: expect.stringMatching(/conditionsV4: .*iptables/),
    });
  });

  test('CHECK names what is off; lost records and GC leave nothing', () => {
    const a = newPod();
    const prevResult = added(config(WEB), 'a', a);
    run('nft', 'delete', 'element', 'inet', 'plumb-ports', 'any4', '{ udp . 8080 }');
    expect(refused(call('CHECK', config(WEB, { prevResult }), 'a', a)).msg).toBe(
      'network net: mapping of host port 8080/udp to 10.99.0.2 is missing',
    );
    rmSync(`${folder}/run`, { recursive: true });
    expectDone(call('DEL', config([]), 'a', a));
    expect(ruleset()).not.toContain('elements');
    const { interfaces } = added(config(WEB), 'a', a);
    run('ip', 'link', 'del', interfaces[0].name);
    rmSync(`${folder}/run`, { recursive: true });
    expectDone(call('GC', config([], { 'cni.dev/valid-attachments': [] }), 'a', a));
    expect(ruleset()).not.toContain('elements');
  });
});
