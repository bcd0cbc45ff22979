import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makeNetns, type Netns, run } from '../support/netns.ts';
import { callPlugin, EXECUTABLES, expectDone, type Outcome, resultOf } from '../support/plugin.ts';

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
  const [program = '', ...args] = [...inside, process.execPath, TALK, 'ask', protocol, address, String(port)];
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

describe.each(EXECUTABLES)('%s', (name) => {
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
    expect(ask(outside, 'tcp', HOST[4], 8081)).toBeUndefined();
    expect(ask(outside, 'tcp', HOST[4], 80)).toBeUndefined();
    expectDone(call('CHECK', config(WEB, { prevResult }), 'a', a));
    expectDone(call('DEL', config(WEB), 'a', a));
    expect(ask(outside, 'tcp', HOST[4], 8080)).toBeUndefined();
    expect(ruleset()).not.toContain('elements');
    expectDone(call('DEL', config([]), 'b', b));
  });

  test('only what is addressed to the host is redirected, and 127.0.0.1 of the host stays closed to containers', async () => {
    const a = newPod();
    added(config(WEB), 'a', a);
    await serve(outside, 8080);
    // A service of the same port on another machine is that one.
    expect(ask(a, 'tcp', '198.51.100.2', 8080)).toBe('tcp 198.51.100.1');
    await serve(undefined, 9090, '127.0.0.1');
    a.ip('route', 'add', '127.0.0.1/32', 'via', '10.99.0.1', 'table', '7');
    a.ip('rule', 'add', 'pref', '0', 'to', '127.0.0.1', 'lookup', '7');
    a.ip('rule', 'del', 'pref', '0', 'lookup', 'local');
    a.ip('rule', 'add', 'pref', '1', 'lookup', 'local');
    run('ip', 'netns', 'exec', a.name, 'sysctl', '-qw', 'net.ipv4.conf.all.route_localnet=1');
    expect(ask(a, 'tcp', '127.0.0.1', 9090)).toBeUndefined();
    // It is our rule that keeps it out, and nothing else.
    run('nft', 'flush', 'chain', 'inet', 'plumb-ports', 'guard');
    expect(ask(a, 'tcp', '127.0.0.1', 9090)).toBe('tcp 10.99.0.2');
    run('nft', 'delete', 'table', 'inet', 'plumb-ports');
    expectDone(call('DEL', config(WEB), 'a', a));
  });

  test('B66: a bound address is that address alone, unspecified ones are every one of their family', async () => {
    const [a, b] = [newPod(), newPod()];
    const bound = [
      { hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: HOST[4] },
      { hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: HOST[6] },
    ];
    added(config(bound), 'a', a);
    added(config([{ hostPort: 8081, containerPort: 80, hostIP: '0.0.0.0' }]), 'b', b);
    await serve(a, 80);
    await serve(b, 80);
    expect(ask(outside, 'tcp', HOST[4], 8080)).toBe('tcp 198.51.100.2');
    expect(ask(outside, 'tcp', HOST[6], 8080)).toBe('tcp 2001:db8::2');
    expect(ask(undefined, 'tcp', '127.0.0.1', 8080)).toBeUndefined();
    expect(ask(outside, 'tcp', HOST[4], 8081)).toBe('tcp 198.51.100.2');
    expect(ask(undefined, 'tcp', '127.0.0.1', 8081)).toBe('tcp 10.99.0.1');
    expect(ask(outside, 'tcp', HOST[6], 8081)).toBeUndefined();
    expectDone(call('DEL', config(bound), 'a', a));
    expectDone(call('DEL', config([]), 'b', b));
    // A container without an address of the family has no such mapping, and that is no error.
    const only4 = config([{ hostPort: 8082, containerPort: 80, hostIP: '2001:db8::1' }], {
      ipam: { type: 'host-local', dataDir: `${folder}/leases`, subnet: '10.99.0.0/24' },
    });
    const c = newPod();
    added(only4, 'c', c);
    expect(ruleset()).not.toContain('elements');
    expectDone(call('DEL', only4, 'c', c));
  });

  test('snat false: no redirection from 127.0.0.1, and route_localnet stays off; masqAll: everybody looks like the host', async () => {
    const a = newPod();
    const plain = config(WEB, { snat: false });
    const { interfaces } = added(plain, 'a', a);
    await serve(a, 80);
    expect(ask(undefined, 'tcp', '127.0.0.1', 8080)).toBeUndefined();
    expect(run('sysctl', '-n', `net.ipv4.conf.${interfaces[0].name}.route_localnet`)).toBe('0\n');
    expect(ask(outside, 'tcp', HOST[4], 8080)).toBe('tcp 198.51.100.2');
    expectDone(call('DEL', plain, 'a', a));
    const all = config(WEB, { masqAll: true });
    added(all, 'a', a);
    expect(ask(outside, 'tcp', HOST[4], 8080)).toBe('tcp 10.99.0.1');
    expectDone(call('DEL', all, 'a', a));
    expect(ruleset()).not.toContain('elements');
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

  test('B57, B58: UDP that never pauses goes to the new container, and then to the host', async () => {
    const [a, b] = [newPod(), newPod()];
    const dns = config([{ hostPort: 5353, containerPort: 53, protocol: 'udp' }]);
    added(dns, 'a', a);
    await serve(a, 53);
    const client = spawn(
      'ip',
      [
        ...['netns', 'exec', outside.name, process.execPath, '-e'],
        `const s = require('node:dgram').createSocket('udp4');
         s.on('message', (text, from) => process.stdout.write(text + '\\n')).on('error', () => {});
         s.bind(40000, () => setInterval(() => s.send('?', 5353, '${HOST[4]}'), 50));`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    servers.push(client);
    const answers = async (): Promise<void> => {
      client.stdout?.read();
      await once(client.stdout ?? client, 'data', { signal: AbortSignal.timeout(5000) });
    };
    await answers();
    await serve(b, 53);
    expectDone(call('DEL', dns, 'a', a));
    added(dns, 'b', b);
    await answers();
    expectDone(call('DEL', dns, 'b', b));
    await serve(undefined, 5353);
    await answers();
  });
});
