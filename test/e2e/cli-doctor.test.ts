import { rmSync, writeFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { type Host, hostTest, type Namespace } from '../support/host.ts';
import { INSTALLED } from '../support/plugin.ts';
import { uplink } from '../support/uplink.ts';

interface Problem {
  readonly check: string;
  readonly object: string;
  readonly problem: string;
  readonly remedy: string;
  readonly doubtful?: boolean;
}

/** A host with two containers: `sick`, which faults are done to, and `healthy`. */
interface Ward {
  readonly host: Host;
  readonly sick: Namespace;
  readonly healthy: Namespace;
  /** Host ends of both. */
  readonly end: string;
  readonly other: string;
  readonly config: Readonly<Record<string, unknown>>;
}

interface Fault {
  readonly what: string;
  readonly inject: (ward: Ward) => unknown;
  readonly check: string;
  /** `container sick eth0` unless told. */
  readonly object?: (ward: Ward) => string;
  readonly problem: (ward: Ward) => string;
  /** How to mend it; the remedy that doctor tells is run as it stands unless told. */
  readonly mend?: (ward: Ward) => unknown;
}

const port = (ward: Ward): string => `{ tcp . 8080 comment "${ward.end} t eth0 sick" : 10.99.0.2 . 80 }`;

const FAULTS: readonly Fault[] = [
  {
    what: 'host end down',
    inject: ({ host, end }) => host.net.ip('link', 'set', 'dev', end, 'down'),
    check: 'link',
    problem: ({ end }) => `its host end ${end} is down`,
  },
  {
    what: 'container end down',
    inject: ({ sick }) => sick.ip('link', 'set', 'dev', 'eth0', 'down'),
    check: 'link',
    problem: () => 'eth0 in the container is down',
  },
  {
    what: 'IPv4 address of the container removed',
    inject: ({ sick }) => sick.ip('addr', 'del', '10.99.0.2/29', 'dev', 'eth0'),
    check: 'address',
    problem: () => 'address 10.99.0.2/29 is missing on eth0 in the container',
  },
  {
    what: 'IPv6 address of the container removed',
    inject: ({ sick }) => sick.ip('addr', 'del', 'fd99::2/64', 'dev', 'eth0'),
    check: 'address',
    problem: () => 'address fd99::2/64 is missing on eth0 in the container',
  },
  {
    what: 'gateway address of the host end removed',
    inject: ({ host, end }) => host.net.ip('addr', 'del', '10.99.0.1/32', 'dev', end),
    check: 'address',
    problem: ({ end }) => `gateway address 10.99.0.1 is missing on its host end ${end}`,
  },
  {
    what: 'host route removed',
    inject: ({ host }) => host.net.ip('route', 'del', '10.99.0.2'),
    check: 'route',
    problem: ({ end }) => `the host's route to 10.99.0.2 by ${end} is missing`,
  },
  {
    what: 'IPv6 host route removed',
    inject: ({ host }) => host.net.ip('-6', 'route', 'del', 'fd99::2'),
    check: 'route',
    problem: ({ end }) => `the host's route to fd99::2 by ${end} is missing`,
  },
  {
    what: 'host route overruled',
    inject: ({ host }) => host.net.ip('route', 'prepend', '10.99.0.2', 'dev', 'up0'),
    check: 'route',
    problem: ({ end }) => `the host's route to 10.99.0.2 by ${end} is overruled: packets go to up0`,
    mend: ({ host }) => host.net.ip('route', 'del', '10.99.0.2', 'dev', 'up0'),
  },
  {
    what: 'gateway route of the container removed',
    inject: ({ sick }) => sick.ip('route', 'del', '10.99.0.1'),
    check: 'route',
    problem: () => 'route 10.99.0.1/32 is missing or changed in the container',
  },
  {
    what: 'default route of the container removed',
    inject: ({ sick }) => sick.ip('route', 'del', 'default'),
    check: 'route',
    problem: () => 'route 0.0.0.0/0 is missing or changed in the container',
  },
  {
    what: 'MTU of the container’s end changed',
    inject: ({ sick }) => sick.ip('link', 'set', 'dev', 'eth0', 'mtu', '1400'),
    check: 'mtu',
    problem: ({ end }) => `MTU 1400 of eth0 in the container is not MTU 1500 of its host end ${end}`,
  },
  {
    what: 'ifb of the egress limit down',
    inject: ({ host, end }) => host.net.ip('link', 'set', 'dev', end.replace(/^plumb./, 'plumbi'), 'down'),
    check: 'limit',
    problem: ({ end }) =>
      `${end.replace(/^plumb./, 'plumbi')}, which limits what it sends, is down, and what it sends is lost`,
  },
  {
    what: 'IPv4 forwarding off',
    inject: ({ host }) => host.net.run('sysctl', '-qw', 'net.ipv4.ip_forward=0'),
    check: 'forwarding',
    object: () => 'host',
    problem: () => 'IPv4 is not forwarded',
  },
  {
    what: 'IPv6 forwarding off',
    inject: ({ host }) => host.net.run('sysctl', '-qw', 'net.ipv6.conf.all.forwarding=0'),
    check: 'forwarding',
    object: () => 'host',
    problem: () => 'IPv6 is not forwarded',
  },
  {
    what: 'forwarding off for the host end',
    inject: ({ host, end }) => host.net.run('sysctl', '-qw', `net.ipv4.conf.${end}.forwarding=0`),
    check: 'forwarding',
    problem: ({ end }) => `IPv4 is not forwarded from its host end ${end}`,
  },
  {
    what: 'strict rp_filter where another table leads elsewhere',
    inject: async ({ host, end }) => {
      await host.net.run(
        'sysctl',
        '-qw',
        'net.ipv4.conf.all.rp_filter=0',
        `net.ipv4.conf.${end}.rp_filter=1`,
      );
      await host.net.ip('route', 'add', 'default', 'via', '192.0.2.2', 'table', '100');
      await host.net.ip('rule', 'add', 'to', '10.99.0.2', 'lookup', '100', 'pref', '100');
    },
    check: 'rp_filter',
    problem: ({ end }) =>
      `rp_filter of ${end} is strict and drops what it sends: table 100 leads 10.99.0.2 to up0`,
  },
  {
    what: 'masquerade element removed',
    inject: ({ host, end }) =>
      host.net.run('nft', 'delete', 'element', 'inet', 'plumb', 'masq', `{ "${end}" }`),
    check: 'masquerade',
    problem: ({ end }) => `its host end ${end} is not masqueraded`,
  },
  {
    what: 'port mapping removed',
    inject: ({ host }) =>
      host.net.run('nft', 'delete', 'element', 'inet', 'plumb-ports', 'any4', '{ tcp . 8080 }'),
    check: 'port',
    problem: () => 'port 8080/tcp (IPv4) of the host does not lead to it',
    mend: ({ host, ...ward }) =>
      host.net.run('nft', 'add', 'element', 'inet', 'plumb-ports', 'any4', port({ host, ...ward })),
  },
  {
    what: 'port mapping of another container’s',
    inject: async ({ host, other, ...ward }) => {
      await host.net.run('nft', 'delete', 'element', 'inet', 'plumb-ports', 'any4', '{ tcp . 8080 }');
      const theirs = port({ host, other, ...ward, end: other });
      await host.net.run('nft', 'add', 'element', 'inet', 'plumb-ports', 'any4', theirs);
    },
    check: 'port',
    problem: () => 'port 8080/tcp (IPv4) of the host leads to container healthy eth0',
    mend: async ({ host, ...ward }) => {
      await host.net.run('nft', 'delete', 'element', 'inet', 'plumb-ports', 'any4', '{ tcp . 8080 }');
      await host.net.run('nft', 'add', 'element', 'inet', 'plumb-ports', 'any4', port({ host, ...ward }));
    },
  },
  {
    what: 'route_localnet off',
    inject: ({ host, end }) => host.net.run('sysctl', '-qw', `net.ipv4.conf.${end}.route_localnet=0`),
    check: 'port',
    problem: ({ end }) => `its ports do not answer on 127.0.0.1: route_localnet of ${end} is off`,
  },
  {
    what: 'a foreign chain that drops what is forwarded',
    inject: ({ host }) =>
      host.net.run(
        'nft',
        'add table ip other; add chain ip other forward { type filter hook forward priority 0; policy drop; }',
      ),
    check: 'firewall',
    object: () => 'chain ip other forward',
    problem: () => 'its policy is to drop what is forwarded, and none of its rules accepts',
    mend: ({ host }) => host.net.run('nft', 'delete', 'table', 'ip', 'other'),
  },
  {
    what: 'lease removed',
    inject: ({ host }) => rmSync(`${host.dataDir}/t/10.99.0.2`),
    check: 'lease',
    problem: ({ host }) => `its address 10.99.0.2 is not leased to it (${host.dataDir}/t)`,
  },
  {
    what: 'lease of nobody',
    inject: ({ host }) => writeFileSync(`${host.dataDir}/t/10.99.0.4`, 'ghost\r\neth0'),
    check: 'stray',
    object: ({ host }) => `lease ${host.dataDir}/t/10.99.0.4`,
    problem: () => 'it is leased to container ghost eth0, which has no attachment',
    mend: ({ host }) => rmSync(`${host.dataDir}/t/10.99.0.4`),
  },
  {
    what: 'range exhausted',
    inject: ({ host, config }) => {
      const ipam = { ...Object(config['ipam']), subnet: '10.99.0.0/29', rangeEnd: '10.99.0.3' };
      host.configure([{ ...config, ipam }]);
    },
    check: 'range',
    object: () => 'network t',
    problem: () => 'no address is free in 10.99.0.1-10.99.0.3: all 2 are leased',
    mend: ({ host, config }) => host.configure([config]),
  },
  {
    what: 'folder of records read-only',
    inject: ({ host }) =>
      host.net.sh(`mount --bind ${host.runDir} ${host.runDir}; mount -o remount,bind,ro ${host.runDir}`),
    check: 'folder',
    object: ({ host }) => host.runDir,
    problem: ({ host }) =>
      `no file can be made there (access ${host.runDir}: EROFS): every ADD and DEL fails`,
    mend: ({ host }) => host.net.run('umount', host.runDir),
  },
  {
    what: 'a configuration of somebody else’s that comes first',
    inject: ({ host }) => host.configure([{ type: 'bridge' }], 'a'),
    check: 'configuration',
    object: ({ host }) => `${host.confDir}/a.conflist`,
    problem: ({ host }) =>
      `it comes before ${host.confDir}/t.conflist, so that containerd and CRI-O take it and never call plumb`,
    mend: ({ host }) => rmSync(`${host.confDir}/a.conflist`),
  },
  {
    what: 'a configuration that cannot be read',
    inject: ({ host }) => writeFileSync(`${host.confDir}/z.conflist`, '{ "name": '),
    check: 'configuration',
    object: ({ host }) => `${host.confDir}/z.conflist`,
    problem: () =>
      expect.stringMatching(/^it cannot be read, and containerd then takes none of the folder \(/),
    mend: ({ host }) => rmSync(`${host.confDir}/z.conflist`),
  },
  {
    what: 'a configuration that plumb refuses',
    inject: ({ host, config }) => host.configure([{ ...config, mtu: 10 }]),
    check: 'configuration',
    object: ({ host }) => `${host.confDir}/t.conflist`,
    problem: () => expect.stringMatching(/^network t: invalid network configuration: mtu: /),
    mend: ({ host, config }) => host.configure([config]),
  },
  {
    what: 'record lost',
    inject: ({ host, end }) => host.net.run('mv', `${host.runDir}/t/${end}.json`, `${host.scratch}/kept`),
    check: 'record',
    problem: ({ end }) => `there is no record of it, only its host end ${end}: it cannot be looked into`,
    mend: ({ host, end }) => host.net.run('mv', `${host.scratch}/kept`, `${host.runDir}/t/${end}.json`),
  },
  {
    what: 'rules of masquerading flushed',
    inject: ({ host }) => host.net.run('nft', 'flush', 'chain', 'inet', 'plumb', 'postrouting'),
    check: 'masquerade',
    object: () => 'table inet plumb',
    problem: () => 'the table or its rules are gone: nobody is masqueraded, and 2 should be',
    // The last but those that end the container: there is no command for it.
    mend: () => undefined,
  },
];

/** What nothing can be mended of: each takes a host of its own. */
const MORTAL: readonly Fault[] = [
  {
    what: 'the container’s namespace is gone',
    inject: async ({ host, sick, end }) => {
      await sick.remove();
      while ((await host.ends()).includes(end));
    },
    check: 'namespace',
    problem: ({ sick }) => `its network namespace (${sick.path}) is gone, but not its lease and record`,
  },
  {
    what: 'the pair of links is gone',
    inject: ({ sick }) => sick.ip('link', 'del', 'dev', 'eth0'),
    check: 'link',
    problem: ({ end }) => `its host end ${end} is missing, and with it eth0 in the container`,
  },
  {
    what: 'the table of port mappings is gone',
    inject: ({ host }) => host.net.run('nft', 'delete', 'table', 'inet', 'plumb-ports'),
    check: 'port',
    object: () => 'table inet plumb-ports',
    problem: () => 'the table or its rules are gone: no port leads to a container, and 1 have some',
  },
];

describe.concurrent.each(INSTALLED)('%s', (name) => {
  const test = hostTest(name);

  async function doctor(host: Host, ...args: readonly string[]) {
    const { status, stdout, stderr } = await host.cli('doctor', ...args, '--json');
    expect(stderr).toBe('');
    const value: Problem[] = JSON.parse(stdout);
    return { status, value };
  }

  async function ward(host: Host): Promise<Ward> {
    await uplink(host);
    const [sick, healthy] = [await host.pod(), await host.pod()];
    const config = host.c46({}, { capabilities: { portMappings: true } });
    host.configure([config]);
    const runtimeConfig = { portMappings: [{ hostPort: 8080, containerPort: 80 }] };
    const limit = { egressRate: 8_000_000, egressBurst: 80_000 };
    const first = await host.add(sick, { id: 'sick', config: { ...config, ...limit, runtimeConfig } });
    const second = await host.add(healthy, { id: 'healthy', config });
    const [end = '', other = ''] = [first, second].map(({ interfaces }) => interfaces[0]?.name ?? '');
    return { host, sick, healthy, end, other, config };
  }

  async function expectFound({ what, inject, check, object, problem }: Fault, it: Ward): Promise<Problem> {
    await inject(it);
    const found = await doctor(it.host);
    const wanted = {
      check,
      object: object?.(it) ?? 'container sick eth0',
      problem: problem(it),
      remedy: expect.stringMatching(/./),
    };
    expect(found.value, what).toEqual([wanted]);
    expect(found.status, what).toBe(1);
    const [first] = found.value;
    return first ?? expect.fail(what);
  }

  test('each fault is named, on the right object, and nothing else; what doctor says mends it', async ({
    host,
  }) => {
    const it = await ward(host);
    expect(await doctor(host)).toEqual({ status: 0, value: [] });
    for (const fault of FAULTS) {
      // That nothing of the fault before is left shows as well: it would be named, too.
      const { remedy } = await expectFound(fault, it);
      await (fault.mend === undefined ? host.net.sh(remedy.replace(/, and .*/, '')) : fault.mend(it));
    }
  });

  for (const fault of MORTAL) {
    test(fault.what, async ({ host }) => {
      const it = await ward(host);
      await expectFound(fault, it);
      // Of the other one nothing is wrong.
      if (fault.object === undefined) {
        expect(await doctor(host, 'healthy')).toEqual({ status: 0, value: [] });
        expect((await doctor(host, 'sic')).value).toHaveLength(1);
      }
    });
  }

  test('what it says to people', async ({ host }) => {
    const { sick } = await ward(host);
    const say = (...args: string[]) => host.cli('doctor', ...args);
    const checks =
      'namespace, record, link, address, route, mtu, limit, forwarding, rp_filter, masquerade, port, guard, firewall, lease';
    expect(await say()).toEqual({
      status: 0,
      stderr: '',
      stdout: [
        `Looked at 2 containers with 2 interfaces: ${checks}, range, stray, folder, configuration.`,
        'network t: 2 of 5 addresses of 10.99.0.1-10.99.0.6 leased',
        'network t: 2 of 18446744073709551614 addresses of fd99::1-fd99::ffff:ffff:ffff:ffff leased',
        '',
      ].join('\n'),
    });
    await sick.ip('route', 'del', 'default');
    await host.net.run(
      'nft',
      'add table inet fw; add chain inet fw forward { type filter hook forward priority 0; policy drop; }; add rule inet fw forward accept',
    );
    const { status, stdout } = await say('sick');
    expect(status).toBe(1);
    expect(stdout.split('\n')).toEqual([
      `wrong  route: container sick eth0: route 0.0.0.0/0 is missing or changed in the container; to mend it: nsenter --net=${sick.path} ip route replace 0.0.0.0/0 via 10.99.0.1 dev eth0`,
      expect.stringMatching(
        /^maybe {2}firewall: chain inet fw forward: its policy is to drop what is forwarded/,
      ),
      `Looked at 1 container with 1 interface: ${checks}.`,
      '',
    ]);
    // What is doubtful alone is no fault.
    expect((await say('healthy')).status).toBe(0);
    expect(await say('nobody')).toMatchObject({
      status: 3,
      stdout: '',
      stderr: expect.stringMatching(/"nobody"/),
    });
    expect((await say('a', 'b')).status).toBe(2);
  });
});
