import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DelegateFolder, reference } from '../support/delegate.ts';
import { makeNetns, type Netns, run } from '../support/netns.ts';
import { type Call, callPlugin, executable, INSTALLED, type Outcome } from '../support/plugin.ts';

let pod: Netns;
let folder: string;
let delegates: DelegateFolder;

beforeEach(() => {
  pod = makeNetns();
  folder = mkdtempSync('/run/ipam-');
  delegates = new DelegateFolder(`${folder}/bin`);
});
afterEach(() => {
  pod.remove();
  rmSync(folder, { recursive: true });
});

interface Config extends Record<string, unknown> {
  readonly ipam: object;
}

const config = (ipam: object, more: object = {}): Config => ({
  cniVersion: '1.1.0',
  name: 'net',
  type: 'plumb',
  runDir: `${folder}/run`,
  ipam,
  ...more,
});

/** Everything on the host and in the container that an attachment may leave. */
const state = (): string =>
  [
    run('sh', '-c', `ip -o link; ip route; ip -6 route; ip -n ${pod.name} -o link`),
    ...(existsSync(`${folder}/leases/net`) ? leases() : []),
    ...(existsSync(`${folder}/run/net`) ? readdirSync(`${folder}/run/net`) : []),
  ].join('\n');
const leases = (): string[] =>
  readdirSync(`${folder}/leases/net`).filter((file) => /^[\da-f.:]+$/.test(file));

interface Printed {
  readonly ips?: readonly { readonly address: string; readonly gateway?: string }[];
  readonly routes?: readonly object[];
  readonly dns?: object;
  readonly [key: string]: unknown;
}

// One of each form that results have.
const isTelling = (version: string): boolean => ['0.2.0', '0.4.0', '1.0.0', '1.1.0'].includes(version);

const SUCCESS: Outcome = { status: 0, stdout: '', stderr: '' };

function resultOf(outcome: Outcome): Printed {
  expect(outcome, outcome.stdout).toMatchObject({ status: 0 });
  return JSON.parse(outcome.stdout);
}

function errorOf(outcome: Outcome): { code: number; msg: string; details?: string } {
  expect(outcome.status, outcome.stdout).toBe(1);
  return JSON.parse(outcome.stdout);
}

describe.each(INSTALLED)('%s', (name) => {
  const call = (command: string, stdin: unknown, more: Partial<Call> = {}): Outcome =>
    callPlugin(name, { command, stdin, netns: pod.path, path: delegates.path, ...more });

  /** ADD, with what the kernel has afterwards; then CHECK, and DEL that leaves nothing. */
  const lifeOf = (conf: Config, more: Partial<Call> = {}): Printed => {
    const before = state();
    const result = resultOf(call('ADD', conf, more));
    const present = pod.ip('-o', 'addr', 'show', 'dev', 'eth0', 'scope', 'global');
    for (const { address } of result.ips ?? []) expect(present).toContain(` ${address} `);
    if (conf['cniVersion'] === '1.1.0')
      expect(call('CHECK', { ...conf, prevResult: result }, more)).toEqual(SUCCESS);
    expect(call('DEL', { ...conf, prevResult: result }, more)).toEqual(SUCCESS);
    expect(state()).toBe(before);
    return result;
  };

  const refusal = (conf: Config, more: Partial<Call> = {}): ReturnType<typeof errorOf> => {
    const before = state();
    const error = errorOf(call('ADD', conf, more));
    expect(state()).toBe(before);
    return error;
  };

  describe('host-local', () => {
    const hostLocal = (more: object = {}, top: object = {}): Config =>
      config({ type: 'host-local', dataDir: `${folder}/leases`, subnet: '10.99.0.0/29', ...more }, top);

    test.each([
      ['CNI_ARGS', (ip: string) => [{}, `IP=${ip}`]],
      ['args.cni.ips', (ip: string) => [{ args: { cni: { ips: [ip] } } }, '']],
      ['runtimeConfig.ips', (ip: string) => [{ runtimeConfig: { ips: [ip] } }, '']],
      ['runtimeConfig.IPs', (ip: string) => [{ runtimeConfig: { IPs: [ip] } }, '']],
      ['runtimeConfig.IPS', (ip: string) => [{ runtimeConfig: { IPS: [ip] } }, '']],
    ] satisfies [string, (ip: string) => [object, string]][])(
      'B23: an address is asked for by %s, with and without prefix length',
      (_, ask) => {
        for (const ip of ['10.99.0.5', '10.99.0.5/29']) {
          const [top, args] = ask(ip);
          const { ips } = lifeOf(hostLocal({}, top), { args });
          expect(ips).toEqual([{ address: '10.99.0.5/29', gateway: '10.99.0.1', interface: 1 }]);
        }
        for (const [ip, why] of [
          ['10.99.0.1', /10\.99\.0\.1 is the gateway/],
          ['10.99.0.9', /10\.99\.0\.9 is in none of/],
          ['fd99::5', /fd99::5 is in none of/],
        ] as const) {
          const [top, args] = ask(ip);
          expect(refusal(hostLocal({}, top), { args })).toMatchObject({
            code: 7,
            msg: expect.stringMatching(why),
          });
        }
        const other = makeNetns();
        const [top, args] = ask('10.99.0.5');
        const second = { args, containerId: 'c2', netns: other.path };
        resultOf(call('ADD', hostLocal({}, top), second));
        const taken = refusal(hostLocal({}, top), { args });
        expect(taken).toMatchObject({
          code: 7,
          msg: expect.stringMatching(/10\.99\.0\.5 .* leased to container c2 /),
        });
        expect(call('DEL', hostLocal(), second)).toEqual(SUCCESS);
        other.remove();
      },
    );

    test('B23: an IPv6 address is the same in any spelling, and so is its lease', () => {
      const conf = hostLocal({ subnet: 'fd99::/64' });
      for (const ip of ['fd99::a:5', 'FD99:0000:0000:0000:0000:0000:000A:0005', 'fd99:0:0::a:0005/64']) {
        expect(resultOf(call('ADD', conf, { args: `IP=${ip}` })).ips?.[0]?.address).toBe('fd99::a:5/64');
        expect(leases()).toEqual(['fd99::a:5']);
        expect(call('DEL', conf)).toEqual(SUCCESS);
      }
    });

    test('B23: runtimeConfig wins over args.cni, and that over CNI_ARGS', () => {
      const args = 'IP=10.99.0.3';
      const cni = { args: { cni: { ips: ['10.99.0.4'] } } };
      expect(lifeOf(hostLocal({}, cni), { args }).ips?.[0]?.address).toBe('10.99.0.4/29');
      const all = { ...cni, runtimeConfig: { ips: ['10.99.0.5'] } };
      expect(lifeOf(hostLocal({}, all), { args }).ips?.[0]?.address).toBe('10.99.0.5/29');
    });

    test('B04: a lease that dangles never blocks its address for good, and an error names its owner', () => {
      const conf = hostLocal({}, { args: { cni: { ips: ['10.99.0.4'] } } });
      const lease = `${folder}/leases/net/10.99.0.4`;
      resultOf(call('ADD', conf));
      const mine = errorOf(call('ADD', conf));
      expect(mine).toMatchObject({ code: 100, msg: expect.stringContaining('c1') });
      expect(call('DEL', conf)).toEqual(SUCCESS);
      for (const owner of ['c1\r\neth0', 'somebody\r\neth0']) {
        writeFileSync(lease, owner);
        const outcome = call('ADD', conf);
        if (outcome.status !== 0) {
          expect(errorOf(outcome).msg).toContain(owner.split('\r')[0]);
          expect(leases()).toEqual(['10.99.0.4']);
          expect(call('DEL', conf, { containerId: owner.split('\r')[0] ?? '' })).toEqual(SUCCESS);
          resultOf(call('ADD', conf));
        }
        expect(leases()).toEqual(['10.99.0.4']);
        expect(call('DEL', conf)).toEqual(SUCCESS);
        expect(leases()).toEqual([]);
      }
    });

    test.each([
      ['CNI_ARGS', {}, 'MAC=0A:58:0a:00:00:05'],
      ['CNI_ARGS with hyphens', {}, 'MAC=0a-58-0a-00-00-05'],
      ['args.cni.mac', { args: { cni: { mac: '0a:58:0a:00:00:05' } } }, ''],
      [
        'args.cni.mac over CNI_ARGS',
        { args: { cni: { mac: '0a:58:0a:00:00:05' } } },
        'MAC=02:00:00:00:00:01',
      ],
      ['runtimeConfig.mac', { runtimeConfig: { mac: '0a:58:0a:00:00:05' } }, ''],
      [
        'runtimeConfig.MAC over args.cni.mac',
        { runtimeConfig: { MAC: '0A:58:0A:00:00:05' }, args: { cni: { mac: '02:00:00:00:00:01' } } },
        '',
      ],
      ['the key mac', { mac: '0a:58:0a:00:00:05' }, ''],
    ])('a hardware address is asked for by %s', (_, top, args) => {
      const conf = hostLocal({}, top);
      const result = resultOf(call('ADD', conf, { args }));
      expect(result['interfaces']).toMatchObject([{}, { mac: '0a:58:0a:00:00:05' }]);
      expect(pod.ip('-o', 'link', 'show', 'dev', 'eth0')).toContain('link/ether 0a:58:0a:00:00:05 ');
      expect(call('CHECK', { ...conf, prevResult: result }, { args })).toEqual(SUCCESS);
      expect(call('DEL', conf)).toEqual(SUCCESS);
    });

    test.each([
      ['CNI_ARGS', {}, 'MAC=01:00:5e:00:00:01', 4],
      ['args.cni.mac', { args: { cni: { mac: 'ff:ff:ff:ff:ff:ff' } } }, '', 7],
      ['runtimeConfig.mac', { runtimeConfig: { Mac: '02:00' } }, '', 7],
    ])('a hardware address that no interface can have is refused: %s', (_, top, args, code) => {
      expect(refusal(hostLocal({}, top), { args }).code).toBe(code);
    });

    test.each([
      ['ipRanges', 'servers', 'searches', 'subnet', 'rangeStart'],
      ['IPRanges', 'Servers', 'Searches', 'Subnet', 'RangeStart'],
      ['ipranges', 'SERVERS', 'SEARCHES', 'SUBNET', 'rangestart'],
    ])(
      'runtimeConfig.%s and dns are understood in any letter case',
      (ipRanges, servers, searches, subnet, rangeStart) => {
        const ranges = [[{ [subnet]: '10.98.0.0/24', [rangeStart]: '10.98.0.9' }]];
        const dns = { [servers]: ['192.0.2.53'], [searches]: ['example.org'] };
        const conf = hostLocal(
          {},
          { runtimeConfig: { [ipRanges]: ranges, [servers === 'SERVERS' ? 'DNS' : 'dns']: dns } },
        );
        expect(lifeOf(conf)).toMatchObject({
          ips: [{ address: '10.98.0.9/24' }, { address: '10.99.0.2/29' }],
          dns: { nameservers: ['192.0.2.53'], search: ['example.org'] },
        });
      },
    );

    test('resolvConf becomes the dns of the result, unless the configuration has its own; a missing file leaves nothing', () => {
      const resolvConf = `${folder}/resolv.conf`;
      const conf = hostLocal({ resolvConf });
      expect(refusal(conf)).toMatchObject({ code: 5, msg: `open ${resolvConf}: ENOENT` });
      writeFileSync(
        resolvConf,
        '# nameserver 192.0.2.1\nnameserver 192.0.2.53\n nameserver\tfd00::53 \ndomain a.example\nsearch b.example c.example\noptions ndots:5 edns0\noptions rotate\nsortlist 192.0.2.0\n',
      );
      const dns = {
        nameservers: ['192.0.2.53', 'fd00::53'],
        domain: 'a.example',
        search: ['b.example', 'c.example'],
        options: ['ndots:5', 'edns0', 'rotate'],
      };
      expect(lifeOf(conf).dns).toEqual(dns);
      expect(lifeOf({ ...conf, dns: { nameservers: ['198.51.100.1'] } }).dns).toEqual({
        nameservers: ['198.51.100.1'],
      });
      const original = reference('host-local');
      if (original === undefined) return;
      const theirs = callPlugin(original.path, {
        command: 'ADD',
        stdin: { ...conf, cniVersion: '1.0.0' },
        netns: pod.path,
      });
      expect(resultOf(theirs).dns).toEqual(dns);
    });

    test('GATEWAY of CNI_ARGS is passed over, as by the reference: the range has the gateway', () => {
      const { ips } = lifeOf(hostLocal(), { args: 'GATEWAY=10.99.0.6;IP=10.99.0.3' });
      expect(ips).toMatchObject([{ address: '10.99.0.3/29', gateway: '10.99.0.1' }]);
    });

    test("B88: the runtime's own keys are ignored where it says so, and nothing else is", () => {
      const kubelet = 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID=';
      expect(
        lifeOf(hostLocal({}, { 'x.example/key': 1, somethingElse: { a: [] } }), { args: kubelet }).ips,
      ).toHaveLength(1);
      expect(lifeOf(hostLocal(), { args: 'K8S_POD_NAME=web-0;IgnoreUnknown=true' }).ips).toHaveLength(1);
      const unknown = refusal(hostLocal(), { args: 'K8S_POD_NAME=web-0' });
      expect(unknown).toMatchObject({ code: 4, msg: expect.stringContaining('K8S_POD_NAME') });
      for (const args of ['A;B', 'IP', 'IP=10.99.0.3=', '=1', 'IgnoreUnknown=maybe']) {
        expect(refusal(hostLocal(), { args }), args).toMatchObject({
          code: 4,
          msg: expect.stringContaining('CNI_ARGS'),
        });
      }
    });
  });

  describe('none', () => {
    test.each([false, true])('"ipam": {} makes a link without addresses (ipMasq %s)', (ipMasq) => {
      const conf = config({}, { ipMasq });
      const result = lifeOf(conf, { args: 'IP=10.0.0.9/24' });
      expect(result.ips).toBeUndefined();
      expect(result['interfaces']).toHaveLength(2);
      expect(call('STATUS', conf)).toEqual(SUCCESS);
      expect(call('GC', { ...conf, 'cni.dev/valid-attachments': [] })).toEqual(SUCCESS);
    });
  });

  describe('static', () => {
    const addresses = [
      { address: '10.77.0.5/24', gateway: '10.77.0.1' },
      { address: '10.77.0.6/24', gateway: '10.77.0.1' },
      { address: '10.78.0.5/24' },
      { address: 'fd77::5/64', gateway: 'fd77::1' },
      { address: 'fd77::6/64', gateway: 'fd77::1' },
    ];
    const fixed = (more: object = {}, top: object = {}): Config =>
      config({ type: 'static', addresses, ...more }, top);

    test('several addresses, routes and dns arrive in the container, and work', () => {
      const routes = [
        { dst: '0.0.0.0/0' },
        { dst: '::/0' },
        { dst: '192.0.2.0/24', gw: '10.77.0.1' },
        { dst: '10.79.0.0/24', scope: 253 },
      ];
      const dns = { nameservers: ['10.77.0.1'], search: ['example.org'] };
      const conf = fixed({ routes, dns });
      const before = state();
      const result = resultOf(call('ADD', conf));
      expect(result.ips).toEqual(addresses.map((ip) => ({ ...ip, interface: 1 })));
      expect(result).toMatchObject({ routes, dns });
      run('ping', '-c1', '-W2', '10.77.0.5');
      run('ping', '-c1', '-W2', '10.77.0.6');
      run('ping', '-c1', '-W2', 'fd77::6');
      run('ip', 'netns', 'exec', pod.name, 'ping', '-c1', '-W2', '-I', '10.77.0.6', '10.77.0.1');
      expect(pod.ip('route')).toMatch(/^default via 10\.77\.0\.1 dev eth0/m);
      expect(pod.ip('route')).toMatch(/^10\.78\.0\.0\/24 dev eth0 scope link src 10\.78\.0\.5/m);
      expect(pod.ip('-6', 'route')).toMatch(/^default via fd77::1 dev eth0/m);
      expect(call('CHECK', { ...conf, prevResult: result })).toEqual(SUCCESS);
      pod.ip('route', 'del', '192.0.2.0/24');
      expect(errorOf(call('CHECK', { ...conf, prevResult: result })).msg).toContain('route 192.0.2.0/24');
      expect(call('STATUS', conf)).toEqual(SUCCESS);
      expect(
        call('GC', { ...conf, 'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }] }),
      ).toEqual(SUCCESS);
      run('ping', '-c1', '-W2', '10.77.0.5');
      expect(call('DEL', conf)).toEqual(SUCCESS);
      expect(state()).toBe(before);
    });

    const WAYS: readonly (readonly [string, object, string, readonly object[]])[] = [
      ['addresses alone', {}, '', addresses.slice(0, 1)],
      [
        'IP and GATEWAY of CNI_ARGS add up',
        {},
        'IP=10.80.0.5/24,fd80::5/64;GATEWAY=10.80.0.1,fd80::1',
        [
          ...addresses.slice(0, 1),
          { address: '10.80.0.5/24', gateway: '10.80.0.1' },
          { address: 'fd80::5/64', gateway: 'fd80::1' },
        ],
      ],
      [
        'args.cni.ips takes their place',
        { args: { cni: { ips: ['10.81.0.5/24'] } } },
        'IP=10.80.0.5/24',
        [{ address: '10.81.0.5/24' }],
      ],
      [
        'runtimeConfig.ips wins',
        { args: { cni: { ips: ['10.81.0.5/24'] } }, runtimeConfig: { ips: ['10.82.0.5/24', 'fd82::5/64'] } },
        '',
        [{ address: '10.82.0.5/24' }, { address: 'fd82::5/64' }],
      ],
    ];
    test.each(WAYS)('B23: %s, as with the reference', (_, top, args, wanted) => {
      const conf = fixed(
        { addresses: addresses.slice(0, 1), routes: [{ dst: '192.0.2.0/24' }] },
        { cniVersion: '1.0.0', ...top },
      );
      const ours = lifeOf(conf, { args });
      expect(ours.ips).toEqual(wanted.map((ip) => ({ ...ip, interface: 1 })));
      const original = reference('static');
      if (original === undefined) return;
      const theirs = resultOf(
        callPlugin(original.path, { command: 'ADD', stdin: conf, netns: pod.path, args }),
      );
      expect(theirs.ips).toEqual(wanted);
      expect(ours.routes).toEqual(theirs.routes);
    });

    test('B23: a GATEWAY also belongs to configured and requested addresses in whose network it lies', () => {
      const conf = config({ type: 'static' }, { runtimeConfig: { IPs: ['10.82.0.5/24', '10.83.0.5/24'] } });
      expect(lifeOf(conf, { args: 'GATEWAY=10.82.0.1' }).ips).toMatchObject([
        { address: '10.82.0.5/24', gateway: '10.82.0.1' },
        { address: '10.83.0.5/24' },
      ]);
    });

    test('what cannot be given is refused, and leaves nothing', () => {
      const none = config({ type: 'static' });
      expect(refusal(none)).toMatchObject({
        code: 7,
        msg: expect.stringContaining('ipam.addresses: missing'),
      });
      expect(lifeOf(none, { args: 'IP=10.80.0.5/24' }).ips).toHaveLength(1);
      const bare = refusal(none, { args: 'IP=10.80.0.5' });
      expect(bare).toMatchObject({ code: 7, msg: expect.stringMatching(/"10\.80\.0\.5".* CIDR/) });
      const twice = [{ address: '10.77.0.5/24' }, { address: '10.77.0.5/16' }];
      expect(refusal(fixed({ addresses: twice }))).toMatchObject({
        code: 7,
        msg: 'ips: 10.77.0.5 is given twice',
      });
      for (const address of [
        '0.0.0.0/0',
        '127.0.0.5/8',
        '224.0.0.5/24',
        '255.255.255.255/32',
        'ff02::5/64',
      ]) {
        expect(refusal(fixed({ addresses: [{ address }] }))).toMatchObject({
          code: 7,
          msg: `ips: ${address.split('/')[0]} is no interface's address; allowed: a unicast address`,
        });
      }
      const own = [{ address: '10.77.0.1/24', gateway: '10.77.0.1' }];
      expect(refusal(fixed({ addresses: own }))).toMatchObject({
        code: 7,
        msg: expect.stringContaining('both the container'),
      });
      const old = config({ type: 'static' }, { cniVersion: '0.2.0' });
      expect(refusal(old, { args: 'IP=10.80.0.5/24,10.80.0.6/24' })).toMatchObject({
        code: 7,
        msg: expect.stringContaining('10.80.0.6/24 is one too many'),
      });
      expect(resultOf(call('ADD', old, { args: 'IP=10.80.0.5/24,fd80::5/64' }))).toMatchObject({
        ip4: { ip: '10.80.0.5/24' },
        ip6: { ip: 'fd80::5/64' },
      });
      expect(call('DEL', old)).toEqual(SUCCESS);
    });

    test('an address that another container has is refused, and that container keeps it', () => {
      const other = makeNetns();
      const second = { containerId: 'c2', netns: other.path };
      const conf = fixed({ addresses: addresses.slice(0, 1) });
      const result = resultOf(call('ADD', conf));
      const before = state();
      expect(errorOf(call('ADD', conf, second))).toMatchObject({
        code: 7,
        msg: 'ips: 10.77.0.5 is not available: it is in use on this host',
      });
      expect(call('DEL', conf, second)).toEqual(SUCCESS);
      expect(state()).toBe(before);
      expect(call('CHECK', { ...conf, prevResult: result })).toEqual(SUCCESS);
      expect(call('DEL', conf)).toEqual(SUCCESS);
      expect(resultOf(call('ADD', conf, second)).ips).toHaveLength(1);
      expect(call('DEL', conf, second)).toEqual(SUCCESS);
      other.remove();
    });
  });

  describe('delegated', () => {
    const foreign = (more: object = {}, top: object = {}): Config =>
      config({ type: 'foreign-ipam', ...more }, top);
    const GIVEN = {
      cniVersion: '1.1.0',
      ips: [
        { address: '10.55.0.2/24', gateway: '10.55.0.1' },
        { address: '10.55.0.3/24', gateway: '10.55.0.1' },
        { address: '10.56.0.2/32' },
        { address: 'fd55::2/64', gateway: 'fd55::1' },
      ],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '192.0.2.0/24', gw: '10.55.0.9', mtu: 1300 }, { dst: '::/0' }],
      dns: { nameservers: ['10.55.0.1'] },
    };
    const commands = (): string[] => delegates.calls().map(({ command }) => command);

    test('each command gets the configuration and the environment as they came, in the namespace of the host', () => {
      delegates.answering('foreign-ipam', GIVEN);
      const conf = foreign(
        { key: ['ünïcode'] },
        { 'x.example/y': { z: null }, runtimeConfig: { IPs: ['10.0.0.1'] } },
      );
      const env = { PLUMB_TEST: 'a=b c\nd', NODE_OPTIONS: '--bad', LANG: 'de_DE.UTF-8', EMPTY: '' };
      const args = 'IgnoreUnknown=1;K8S_POD_NAME=x';
      const text = ` ${JSON.stringify(conf, undefined, 2)}\n`;
      const result = resultOf(call('ADD', text, { env, args }));
      const check = JSON.stringify({ ...conf, prevResult: result });
      expect(call('CHECK', check, { env, args })).toEqual(SUCCESS);
      expect(call('STATUS', text, { env, args })).toEqual(SUCCESS);
      const valid = JSON.stringify({
        ...conf,
        'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }],
      });
      expect(call('GC', valid, { env, args })).toEqual(SUCCESS);
      expect(call('DEL', text, { env, args })).toEqual(SUCCESS);
      const calls = delegates.calls();
      expect(calls.map(({ command, stdin }) => [command, stdin])).toEqual([
        ['ADD', text],
        ['CHECK', check],
        ['STATUS', text],
        ['GC', valid],
        ['DEL', text],
      ]);
      for (const { environment, netns, command } of calls) {
        expect(environment).toMatchObject({
          ...env,
          PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
          CNI_COMMAND: command,
          CNI_CONTAINERID: 'c1',
          CNI_NETNS: pod.path,
          CNI_IFNAME: 'eth0',
          CNI_ARGS: args,
          CNI_PATH: delegates.path,
        });
        expect(netns).toBe(run('readlink', '/proc/self/ns/net').trim());
      }
    });

    test('addresses, gateways, routes and dns are applied and stand in the result; CHECK sees what is missing', () => {
      delegates.answering('foreign-ipam', GIVEN);
      const conf = foreign({}, { ipMasq: true });
      const before = state();
      const result = resultOf(call('ADD', conf));
      expect(result).toMatchObject({
        ips: GIVEN.ips.map((ip) => ({ ...ip, interface: 1 })),
        routes: GIVEN.routes,
        dns: GIVEN.dns,
      });
      expect(pod.ip('route')).toMatch(/^default via 10\.55\.0\.1 dev eth0/m);
      expect(pod.ip('route')).toMatch(
        /^192\.0\.2\.0\/24 via 10\.55\.0\.9 dev eth0 onlink mtu 1300|^192\.0\.2\.0\/24 via 10\.55\.0\.9 dev eth0 mtu 1300 onlink/m,
      );
      for (const ip of ['10.55.0.2', '10.55.0.3', '10.56.0.2', 'fd55::2']) run('ping', '-c1', '-W2', ip);
      const check = (): Outcome => call('CHECK', { ...conf, prevResult: result });
      expect(check()).toEqual(SUCCESS);
      pod.ip('route', 'del', '192.0.2.0/24');
      expect(errorOf(check())).toMatchObject({
        code: 102,
        msg: expect.stringContaining('route 192.0.2.0/24'),
      });
      pod.ip('addr', 'del', '10.55.0.3/24', 'dev', 'eth0');
      expect(errorOf(check()).msg).toMatch(/address 10\.55\.0\.3\/24.*route 192\.0\.2\.0\/24/);
      expect(call('DEL', conf)).toEqual(SUCCESS);
      expect(state()).toBe(before);
      expect(lifeOf({ ...conf, dns: { domain: 'own.example' } }).dns).toEqual({ domain: 'own.example' });
    });

    test.each([
      [
        '0.1.0',
        {
          cniVersion: '0.1.0',
          ip4: { ip: '10.55.0.2/24', gateway: '10.55.0.1', routes: [{ dst: '0.0.0.0/0' }] },
          ip6: { ip: 'fd55::2/64' },
        },
      ],
      [
        '0.3.1',
        {
          cniVersion: '0.3.1',
          ips: [
            { version: '4', address: '10.55.0.2/24', gateway: '10.55.0.1', interface: 3 },
            { version: '6', address: 'fd55::2/64' },
          ],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      ],
      [
        '1.0.0',
        {
          cniVersion: '1.0.0',
          interfaces: [{ name: 'lo' }],
          ips: [
            { address: '10.55.0.2/24', gateway: '10.55.0.1', interface: 0 },
            { address: 'fd55::2/64', interface: 7 },
          ],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      ],
      [
        '1.1.0',
        {
          cniVersion: '1.1.0',
          ips: [{ address: '10.55.0.2/24', gateway: '10.55.0.1' }, { address: 'fd55::2/64' }],
          routes: [{ dst: '0.0.0.0/0', gw: '10.55.0.1' }],
        },
      ],
    ])('a result in version %s is understood, whatever interface it means', (cniVersion, given) => {
      delegates.answering('foreign-ipam', given);
      for (const version of ['0.2.0', '0.4.0', '1.1.0']) {
        const result = lifeOf(foreign({}, { cniVersion: version }));
        const found = version === '0.2.0' ? [result['ip4'], result['ip6']] : result.ips;
        expect(found, cniVersion).toMatchObject(
          version === '0.2.0'
            ? [{ ip: '10.55.0.2/24' }, { ip: 'fd55::2/64' }]
            : [
                { address: '10.55.0.2/24', gateway: '10.55.0.1', interface: 1 },
                { address: 'fd55::2/64', interface: 1 },
              ],
        );
      }
    });

    test('more addresses than the version has room for are an error, and given back', () => {
      delegates.answering('foreign-ipam', { cniVersion: '1.0.0', ips: GIVEN.ips.slice(0, 2) });
      expect(refusal(foreign({}, { cniVersion: '0.2.0' }))).toMatchObject({ code: 7 });
      expect(commands()).toEqual(['ADD', 'DEL']);
    });

    test('a prevResult is handed on, and what it has stays in the result', () => {
      delegates.answering('foreign-ipam', { ips: GIVEN.ips.slice(0, 1) });
      const prevResult = {
        cniVersion: '1.1.0',
        interfaces: [{ name: 'other0', sandbox: pod.path }],
        ips: [{ address: '192.0.2.9/24', interface: 0 }],
      };
      const conf = foreign({}, { prevResult });
      const result = resultOf(call('ADD', conf));
      expect(JSON.parse(delegates.calls()[0]?.stdin ?? '')).toEqual(conf);
      expect(result.ips).toMatchObject([
        { address: '192.0.2.9/24', interface: 0 },
        { address: '10.55.0.2/24', interface: 2 },
      ]);
      expect(call('DEL', conf)).toEqual(SUCCESS);
    });

    test('its error reaches the runtime with code, message and details, and its DEL is called', () => {
      const error = { cniVersion: '1.1.0', code: 117, msg: 'pool is empty', details: 'ask later' };
      delegates.failing(
        'foreign-ipam',
        'ADD',
        `echo '${JSON.stringify(error)}'; echo 'some log' >&2; exit 1`,
      );
      expect(refusal(foreign())).toEqual({ ...error, msg: 'IPAM plugin foreign-ipam: pool is empty' });
      expect(commands()).toEqual(['ADD', 'DEL']);
      const [add, del] = delegates.calls();
      expect(del?.stdin).toBe(add?.stdin);
      expect(call('ADD', foreign()).stderr).toBe('some log\n');
    });

    test('its error is in the version of the configuration, and says when the undoing failed too', () => {
      delegates.script(
        'foreign-ipam',
        `echo '{"cniVersion":"1.0.0","code":11,"msg":"no '$CNI_COMMAND'"}'; exit 3`,
      );
      expect(errorOf(call('ADD', foreign({}, { cniVersion: '0.3.1' })))).toEqual({
        cniVersion: '0.3.1',
        code: 11,
        msg: 'IPAM plugin foreign-ipam: no ADD (undoing: IPAM plugin foreign-ipam: no DEL)',
      });
    });

    const BROKEN: [string, string, RegExp, string?][] = [
      ['prints rubbish', 'echo "panic: oops"; exit 0', /printed no result/, 'it printed: panic: oops'],
      ['prints nothing', 'exit 0', /printed no result/],
      ['prints a list', 'echo "[1]"; exit 0', /printed no result/],
      ['prints half a result', `printf '{"ips":[{"addr'; exit 0`, /printed no result/],
      [
        'prints a bad address',
        `echo '{"ips":[{"address":"10.0.0.300/24"}]}'; exit 0`,
        /result\.ips\[0\]\.address: "10\.0\.0\.300\/24"/,
      ],
      [
        'prints a gateway of the other family',
        `echo '{"ips":[{"address":"10.0.0.3/24","gateway":"::1"}]}'; exit 0`,
        /result\.ips\[0\]\.gateway/,
      ],
      [
        'prints a version that nobody knows',
        `echo '{"cniVersion":"9.9.9","ips":[]}'; exit 0`,
        /result\.cniVersion: "9\.9\.9"/,
      ],
      ['gives no address', `echo '{"cniVersion":"1.0.0","dns":{}}'; exit 0`, /returned missing IP config/],
      ['fails without a word', 'exit 7', /failed with exit status 7 in ADD and printed no error object/],
      ['fails with rubbish', 'echo "not JSON"; exit 1', /failed with exit status 1/, 'it printed: not JSON'],
      [
        'fails with a result',
        `echo '{"ips":[{"address":"10.0.0.3/24"}]}'; exit 1`,
        /failed with exit status 1/,
      ],
      ['fails with code 0', `echo '{"code":0,"msg":"fine"}'; exit 1`, /failed with exit status 1/],
      ['is killed', 'kill -9 $$', /was killed by SIGKILL in ADD/],
      [
        'is killed after printing',
        `echo '{"code":7,"msg":"x"}'; kill -TERM $$`,
        /was killed by SIGTERM in ADD/,
      ],
    ];
    test.each(BROKEN)(
      'a plugin that %s is an error that names it, and its DEL is called',
      (_, body, msg, details) => {
        delegates.failing('foreign-ipam', 'ADD', body);
        const error = refusal(foreign());
        expect(error).toMatchObject({ code: 104, msg: expect.stringMatching(msg) });
        expect(error.msg).toContain('IPAM plugin foreign-ipam');
        if (details !== undefined) expect(error.details).toBe(details);
        expect(commands()).toEqual(['ADD', 'DEL']);
      },
    );

    test('a plugin that never stops printing is stopped', () => {
      delegates.failing('foreign-ipam', 'ADD', 'exec yes');
      expect(refusal(foreign())).toMatchObject({
        code: 5,
        msg: expect.stringMatching(/foreign-ipam.*ENOBUFS/),
      });
      expect(commands()).toEqual(['ADD', 'DEL']);
    });

    test('a plugin that does not read its configuration is nobody else’s concern', () => {
      const answer = JSON.stringify(GIVEN);
      writeFileSync(
        `${delegates.path}/foreign-ipam`,
        `#!/bin/sh\nexec <&-\n[ $CNI_COMMAND != ADD ] || echo '${answer}'\n`,
        { mode: 0o755 },
      );
      const conf = foreign({ pad: 'x'.repeat(1_000_000) });
      expect(lifeOf(conf).ips).toHaveLength(4);
    });

    test('a plugin that cannot be run is an error with path and errno', () => {
      const path = `${delegates.path}/foreign-ipam`;
      writeFileSync(path, '#!/no/such/interpreter\n', { mode: 0o755 });
      expect(refusal(foreign())).toMatchObject({
        code: 5,
        msg: expect.stringMatching(`run ${path}: .*ENOENT`),
      });
      chmodSync(path, 0o644);
      expect(refusal(foreign())).toMatchObject({
        code: 5,
        msg: expect.stringMatching(`run ${path}: .*EACCES`),
      });
    });

    test('a plugin that is missing: ADD leaves nothing, DEL removes our link first, STATUS says 50', () => {
      const msg = `invalid network configuration: ipam.type: IPAM plugin foreign-ipam not found in CNI_PATH /no/such:${delegates.path}`;
      const path = `/no/such:${delegates.path}`;
      expect(refusal(foreign(), { path })).toEqual({ cniVersion: '1.1.0', code: 7, msg });
      expect(errorOf(call('STATUS', foreign(), { path }))).toMatchObject({ code: 50, msg });
      const before = state();
      delegates.answering('foreign-ipam', GIVEN);
      resultOf(call('ADD', foreign(), { path }));
      rmSync(`${delegates.path}/foreign-ipam`);
      expect(errorOf(call('DEL', foreign(), { path }))).toMatchObject({ code: 7, msg });
      expect(run('ip', '-o', 'link')).not.toContain('plumb');
      delegates.answering('foreign-ipam', GIVEN);
      expect(call('DEL', foreign(), { path })).toEqual(SUCCESS);
      expect(state()).toBe(before);
      expect(refusal(foreign(), { path: '' })).toMatchObject({
        code: 4,
        msg: expect.stringContaining('CNI_PATH'),
      });
    });

    test('the first file of that name counts; folders of that name, and empty entries, are passed over', () => {
      mkdirSync(`${folder}/first/foreign-ipam`, { recursive: true });
      delegates.answering('foreign-ipam', GIVEN);
      const path = `:${folder}/first::${delegates.path}:`;
      expect(lifeOf(foreign(), { path }).ips).toHaveLength(4);
      writeFileSync(`${folder}/cwd-ipam`, '#!/bin/sh\nexit 0\n', { mode: 0o755 });
      const here = config({ type: 'cwd-ipam' });
      expect(refusal(here, { path: `:${delegates.path}`, cwd: folder })).toMatchObject({ code: 7 });
    });

    test('plumb is not its own IPAM plugin, under whatever name', () => {
      delegates.link('foreign-ipam', executable(name));
      expect(refusal(foreign())).toMatchObject({ code: 7, msg: expect.stringContaining('is plumb itself') });
    });

    test.each([
      ['a route that the kernel refuses', { routes: [{ dst: '192.0.2.0/24', gw: '203.0.113.1' }] }, 102],
      ['an address given twice', { ips: [GIVEN.ips[0], GIVEN.ips[0]] }, 7],
      ['its own gateway for an address', { ips: [{ address: '10.55.0.1/24', gateway: '10.55.0.1' }] }, 7],
    ])('what it gave goes back to it when we fail later: %s', (_, more, code) => {
      delegates.answering('foreign-ipam', { ...GIVEN, ...more });
      expect(refusal(foreign()).code).toBe(code);
      expect(commands()).toEqual(['ADD', 'DEL']);
    });

    test('what it gave goes back to it when the result cannot be written', () => {
      delegates.answering('foreign-ipam', GIVEN);
      const before = state();
      writeFileSync(`${folder}/full`, `#!/bin/sh\nexec ${executable(name)} > /dev/full\n`, { mode: 0o755 });
      const env = { command: 'ADD', netns: pod.path, path: delegates.path, stdin: foreign() };
      expect(callPlugin(`${folder}/full`, env).status).toBe(1);
      expect(commands()).toEqual(['ADD', 'DEL']);
      expect(state()).toBe(before);
    });

    test('a second ADD for an attachment does not reach it', () => {
      delegates.answering('foreign-ipam', GIVEN);
      const result = resultOf(call('ADD', foreign()));
      expect(errorOf(call('ADD', foreign())).code).toBe(100);
      expect(commands()).toEqual(['ADD']);
      expect(call('CHECK', { ...foreign(), prevResult: result })).toEqual(SUCCESS);
      expect(call('DEL', foreign())).toEqual(SUCCESS);
    });

    test('an address that a container here has already is refused, and goes back', () => {
      delegates.answering('foreign-ipam', GIVEN);
      const other = makeNetns();
      resultOf(call('ADD', foreign()));
      delegates.forget();
      expect(errorOf(call('ADD', foreign(), { containerId: 'c2', netns: other.path }))).toMatchObject({
        code: 7,
        msg: expect.stringContaining('10.55.0.2 is not available'),
      });
      expect(commands()).toEqual(['ADD', 'DEL']);
      expect(call('DEL', foreign())).toEqual(SUCCESS);
      other.remove();
    });

    test.each([
      ['CHECK', 121],
      ['STATUS', 51],
      ['GC', 122],
      ['DEL', 123],
    ])('its error in %s reaches the runtime', (command, code) => {
      const error = JSON.stringify({ cniVersion: '1.1.0', code, msg: 'no', details: 'because' });
      delegates.failing('foreign-ipam', command, `echo '${error}'; exit 1`, GIVEN);
      const result = resultOf(call('ADD', foreign()));
      const conf = foreign({}, { 'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }] });
      const stdin = command === 'CHECK' ? foreign({}, { prevResult: result }) : conf;
      expect(errorOf(call(command, stdin))).toEqual({
        cniVersion: '1.1.0',
        code,
        msg: 'IPAM plugin foreign-ipam: no',
        details: 'because',
      });
      delegates.answering('foreign-ipam', GIVEN);
      expect(call('DEL', foreign())).toEqual(SUCCESS);
    });

    test('commands that the version does not have do not reach it', () => {
      delegates.answering('foreign-ipam', GIVEN);
      const conf = (cniVersion: string): Config =>
        foreign({}, { cniVersion, 'cni.dev/valid-attachments': [] });
      expect(errorOf(call('CHECK', conf('0.3.1'))).code).toBe(1);
      expect(errorOf(call('STATUS', conf('1.0.0'))).code).toBe(1);
      expect(errorOf(call('GC', conf('1.0.0'))).code).toBe(1);
      expect(commands()).toEqual([]);
    });

    test('DEL reaches it without namespace, without attachment, as often as it comes', () => {
      delegates.answering('foreign-ipam', GIVEN);
      expect(call('DEL', foreign(), { netns: '' })).toEqual(SUCCESS);
      expect(call('DEL', foreign(), { netns: '/run/netns/gone' })).toEqual(SUCCESS);
      expect(commands()).toEqual(['DEL', 'DEL']);
    });

    test('GC removes links that are not valid, then asks it to do its part', () => {
      delegates.answering('foreign-ipam', GIVEN);
      const before = state();
      resultOf(call('ADD', foreign()));
      delegates.forget();
      const conf = foreign({}, { 'cni.dev/valid-attachments': [] });
      expect(call('GC', conf)).toEqual(SUCCESS);
      expect(delegates.calls().map(({ command, stdin }) => [command, stdin])).toEqual([
        ['GC', JSON.stringify(conf)],
      ]);
      expect(state()).toBe(before);
    });

    const original = { hostLocal: reference('host-local'), static: reference('static') };

    test.skipIf(original.hostLocal === undefined)(
      'the reference plugin host-local, under another name',
      () => {
        delegates.link('foreign-ipam', original.hostLocal?.path ?? '');
        const versions = original.hostLocal?.versions ?? [];
        const ipam = {
          dataDir: `${folder}/leases`,
          ranges: [[{ subnet: '10.99.0.0/29' }], [{ subnet: 'fd99::/64' }]],
          routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
        };
        for (const cniVersion of versions.filter(isTelling)) {
          const conf = foreign(ipam, { cniVersion });
          const before = state();
          const result = resultOf(call('ADD', conf));
          expect(leases().toSorted()).toHaveLength(2);
          const [v4 = ''] = leases().toSorted();
          run('ping', '-c1', '-W2', v4);
          if (cniVersion >= '0.4.0') expect(call('CHECK', { ...conf, prevResult: result })).toEqual(SUCCESS);
          expect(
            errorOf(
              call(
                'ADD',
                foreign({ ...ipam, routes: [{ dst: '192.0.2.0/24', gw: '203.0.113.1' }] }, { cniVersion }),
                // Beside the first one's eth0, which would be refused before any route.
                { containerId: 'c2', ifname: 'eth1' },
              ),
            ).code,
          ).toBe(102);
          expect(leases()).toHaveLength(2);
          expect(call('DEL', conf)).toEqual(SUCCESS);
          expect(state()).toBe(before);
        }
        const full = foreign({ ...ipam, ranges: [[{ subnet: '10.99.0.0/30' }]] }, { cniVersion: '1.0.0' });
        resultOf(call('ADD', full));
        const other = makeNetns();
        const exhausted = errorOf(call('ADD', full, { containerId: 'c2', netns: other.path }));
        expect(exhausted.msg).toMatch(/^IPAM plugin foreign-ipam: .*no IP addresses available/);
        other.remove();
        if (versions.includes('1.1.0')) {
          const gc = { ...full, cniVersion: '1.1.0', 'cni.dev/valid-attachments': [] };
          expect(call('GC', gc)).toEqual(SUCCESS);
          expect(run('ip', '-o', 'link')).not.toContain('plumb');
          expect(call('STATUS', gc)).toEqual(SUCCESS);
        }
        expect(call('DEL', full)).toEqual(SUCCESS);
        expect(leases()).toEqual([]);
      },
    );

    test.skipIf(original.static === undefined)(
      'the reference plugin static, under another name, gives what ours gives',
      () => {
        delegates.link('foreign-ipam', original.static?.path ?? '');
        const ipam = {
          addresses: [
            { address: '10.77.0.5/24', gateway: '10.77.0.1' },
            { address: 'fd77::5/64', gateway: 'fd77::1' },
          ],
          routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
          dns: { nameservers: ['10.77.0.1'], search: ['example.org'] },
        };
        for (const cniVersion of (original.static?.versions ?? []).filter(isTelling)) {
          const args = 'IP=10.80.0.5/24;GATEWAY=10.80.0.1';
          const more = cniVersion < '0.3.0' ? {} : { args };
          const theirs = lifeOf(foreign(ipam, { cniVersion }), more);
          const ours = lifeOf(config({ type: 'static', ...ipam }, { cniVersion }), more);
          expect(theirs).toEqual(ours);
        }
        expect(errorOf(call('ADD', foreign())).msg).toMatch(/^IPAM plugin foreign-ipam\b/);
      },
    );
  });
});
