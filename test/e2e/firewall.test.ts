import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { type Added, type Config, type Host, hostTest, type Namespace } from '../support/host.ts';
import { INSTALLED } from '../support/plugin.ts';
import { HOST, NO_ANSWERS, OUTSIDE, outside as strangers } from '../support/traffic.ts';

// Forwarding where another program's table drops it, and tables of ours that somebody has flushed: what passes, and what
// must not.

const TALK = join(import.meta.dirname, '../support/talk.ts');
const PROTOCOLS = ['tcp', 'udp'] as const;
const POD = { 4: '10.99.0.2', 6: 'fd99::2' } as const;
const FAMILIES = [4, 6] as const;

/** A machine outside, which has a route to the containers, so that whoever is let through arrives. */
async function outside(host: Host): Promise<Namespace> {
  const out = await strangers(host);
  await out.ip('route', 'add', '10.99.0.0/24', 'via', HOST[4]);
  await out.ip('route', 'add', 'fd99::/64', 'via', HOST[6]);
  return out;
}

async function serve(host: Host, space: Namespace, port: number): Promise<void> {
  await host.serve([...space.enter, process.execPath, TALK, 'serve', String(port)]).ready;
}

/** Whom the server sees, asked by TCP and UDP at each address; `-` where no answer comes. */
async function ask(from: Namespace, port: number, ...addresses: readonly string[]): Promise<string[]> {
  const answers: (string | null)[] = JSON.parse(
    await from.run(process.execPath, TALK, 'each', String(port), ...addresses),
  );
  return answers.map((answer) => answer?.replace(/^\w+ /, '') ?? '-');
}

/** The same at an IPv4 address and at an IPv6 address. */
const askAll = (from: Namespace, addresses: Record<4 | 6, string>, port: number): Promise<string[]> =>
  ask(from, port, addresses[4], addresses[6]);
/** Each address twice, for TCP and UDP. */
const seen = (addresses: Record<4 | 6, string>): string[] =>
  FAMILIES.flatMap((family) => [addresses[family], addresses[family]]);

const WEB = PROTOCOLS.map((protocol) => ({ hostPort: 8080, containerPort: 80, protocol }));

function configOf(host: Host, more: object = {}, mappings: readonly object[] = WEB): Config {
  return host.c46({ subnet: '10.99.0.0/24' }, { runtimeConfig: { portMappings: mappings }, ...more });
}

const dropByIptables = (host: Host): Promise<string> =>
  host.net.sh('iptables -P FORWARD DROP; ip6tables -P FORWARD DROP');
const RULE = '-A FORWARD -m mark --mark 0x10000/0x10000 -m comment --comment plumb -j ACCEPT';

async function checked(
  host: Host,
  netns: Namespace,
  config: Config,
  prevResult: Added,
  id = 'c1',
): Promise<string> {
  const { status, stdout } = await host.call('CHECK', { netns, id, config: { ...config, prevResult } });
  return status === 0 ? '' : JSON.parse(stdout).msg;
}

describe.concurrent.each(INSTALLED)('%s', (name) => {
  const test = hostTest(name);

  test('B71: where iptables drops what is forwarded, CHECK and STATUS say so; ADD does not fail', async ({
    host,
  }) => {
    const [out, pod] = [await outside(host), await host.pod()];
    const config = configOf(host);
    await host.ok('STATUS', { config });
    const added = await host.add(pod, { config });
    await serve(host, out, 7000);
    expect(await askAll(pod, OUTSIDE, 7000)).toEqual(seen(HOST));
    expect(await checked(host, pod, config, added)).toBe('');
    await dropByIptables(host);
    expect(await askAll(pod, OUTSIDE, 7000)).toEqual(NO_ANSWERS);
    const text = (family: string): string =>
      `chain ${family} filter FORWARD drops what is forwarded (policy drop, and no rule that accepts); ` +
      'accept it there, or set markAcceptBit';
    const msg = `network t: ${text('ip')}; ${text('ip6')}`;
    expect(await checked(host, pod, config, added)).toBe(msg);
    expect(await host.refused('STATUS', { config })).toMatchObject({ code: 51, msg });
    const other = await host.pod();
    await host.add(other, { id: 'c2', config: configOf(host, {}, []) });
    // What does not concern the container's families is none of its business.
    await host.net.sh('iptables -P FORWARD ACCEPT');
    expect(await checked(host, pod, config, added)).toBe(`network t: ${text('ip6')}`);
    // Who lets something through may let this through, too.
    await host.net.sh('ip6tables -A FORWARD -i up0 -j ACCEPT');
    expect(await checked(host, pod, config, added)).toBe('');
    await host.ok('STATUS', { config });
  });

  test('B71: with markAcceptBit what a container sends passes, and its ports, and nothing else', async ({
    host,
  }) => {
    const [out, pod, other] = [await outside(host), await host.pod(), await host.pod()];
    await dropByIptables(host);
    const config = configOf(host, { markAcceptBit: 16 });
    const added = await host.add(pod, { config });
    await serve(host, out, 7000);
    await serve(host, pod, 80);
    const pass = async (): Promise<void> => {
      expect(await askAll(pod, OUTSIDE, 7000)).toEqual(seen(HOST));
      expect(await askAll(out, HOST, 8080)).toEqual(seen(OUTSIDE));
      expect(await askAll(out, POD, 80)).toEqual(NO_ANSWERS);
    };
    await pass();
    expect(await checked(host, pod, config, added)).toBe('');
    await host.ok('STATUS', { config });
    for (const program of ['iptables', 'ip6tables']) {
      expect((await host.net.run(program, '-S', 'FORWARD')).trim().split('\n')).toEqual([
        '-P FORWARD DROP',
        RULE,
      ]);
    }
    // iptables writes it in its own way when it restores it: it is the same rule, and none is added.
    await host.net.sh('iptables-save >/run/$$; iptables-restore </run/$$; rm /run/$$');
    await host.add(other, { id: 'c2', config: configOf(host, { markAcceptBit: 16 }, []) });
    expect((await host.net.run('iptables', '-S', 'FORWARD')).match(/plumb/g)).toHaveLength(1);
    await pass();
    expect(await askAll(other, OUTSIDE, 7000)).toEqual(seen(HOST));
    // Its own element goes, and nobody else's.
    await host.ok('DEL', { id: 'c2', netns: other, config });
    await pass();
    // Without its element: the mark is gone, and with it what was let through.
    const [end = ''] = added.interfaces.map((one) => one.name);
    await host.net.run('nft', 'delete', 'element', 'inet', 'plumb-firewall', 'hosts16', `{ "${end}" }`);
    expect(await askAll(pod, OUTSIDE, 7000)).toEqual(NO_ANSWERS);
    expect(await checked(host, pod, config, added)).toBe(
      `network t: forwarding for ${end} is not marked as accepted (table inet plumb-firewall)`,
    );
    await host.ok('DEL', { netns: pod, config });
    expect(await host.elements()).toEqual([]);
    // The rule in the foreign chain stays, as our tables do.
    expect(await host.net.run('iptables', '-S', 'FORWARD')).toContain(RULE);
  });

  test('B71: iptables -F takes the rule away: CHECK and STATUS say so, the next ADD puts it back', async ({
    host,
  }) => {
    const [out, pod, other] = [await outside(host), await host.pod(), await host.pod()];
    await dropByIptables(host);
    const config = configOf(host, { markAcceptBit: 31 });
    const added = await host.add(pod, { config });
    await serve(host, out, 7000);
    expect(await askAll(pod, OUTSIDE, 7000)).toEqual(seen(HOST));
    await host.net.run('iptables', '-F', 'FORWARD');
    const msg = 'network t: chain ip filter FORWARD lacks the rule that accepts the mark 0x80000000';
    expect(await checked(host, pod, config, added)).toBe(msg);
    expect(await host.refused('STATUS', { config })).toMatchObject({ code: 51, msg });
    expect(await askAll(pod, OUTSIDE, 7000)).toEqual(['-', '-', HOST[6], HOST[6]]);
    await host.add(other, { id: 'c2', config: configOf(host, { markAcceptBit: 31 }, []) });
    expect(await checked(host, pod, config, added)).toBe('');
    expect(await askAll(pod, OUTSIDE, 7000)).toEqual(seen(HOST));
  });

  test('B71: a chain that the administrator names accepts, and asks the chain of iptables that comes before', async ({
    host,
  }) => {
    const [out, pod] = [await outside(host), await host.pod()];
    await host.net.sh(`
      nft add table inet filter
      nft 'add chain inet filter forward { type filter hook forward priority filter; policy drop; }'
      iptables -P FORWARD DROP; iptables -N CNI-ADMIN; iptables -A CNI-ADMIN -p tcp --dport 7001 -j DROP`);
    await serve(host, out, 7000);
    await serve(host, out, 7001);
    const marked = configOf(host, { markAcceptBit: 16, iptablesAdminChainName: 'CNI-ADMIN' });
    const added = await host.add(pod, { config: marked });
    expect(await askAll(pod, OUTSIDE, 7000)).toEqual(NO_ANSWERS);
    expect(await checked(host, pod, marked, added)).toBe(
      'network t: chain inet filter forward drops what is forwarded (policy drop, and no rule that accepts); ' +
        'accept it there, or name "inet filter forward" in acceptChains',
    );
    await host.ok('DEL', { netns: pod, config: marked });
    const config = { ...marked, acceptChains: ['inet filter forward', 'inet none forward'] };
    const again = await host.add(pod, { config });
    expect(await checked(host, pod, config, again)).toBe('');
    expect(await askAll(pod, OUTSIDE, 7000)).toEqual(seen(HOST));
    expect(await askAll(pod, OUTSIDE, 7001)).toEqual(['-', HOST[4], HOST[6], HOST[6]]);
    expect(await host.net.run('nft', '-s', 'list', 'chain', 'inet', 'filter', 'forward')).toContain(
      'meta mark & 0x00010000 == 0x00010000 counter accept comment "plumb"',
    );
    const jump = '-A FORWARD -m mark --mark 0x10000/0x10000 -m comment --comment plumb -j CNI-ADMIN';
    expect((await host.net.run('iptables', '-S', 'FORWARD')).trim().split('\n').slice(1)).toEqual([
      jump,
      RULE,
    ]);
    // Whichever of the two is missing: what the administrator drops is dropped first.
    for (const number of [1, 2]) {
      await host.net.run('iptables', '-D', 'FORWARD', String(number));
      expect(await checked(host, pod, config, again)).toContain('ip filter FORWARD lacks');
      await host.ok('DEL', { netns: pod, config });
      await host.add(pod, { config });
      expect(await askAll(pod, OUTSIDE, 7001)).toEqual(['-', HOST[4], HOST[6], HOST[6]]);
    }
  });

  test('DEL without a record, and GC, take the element of whatever bit', async ({ host }) => {
    const [a, b, c] = await host.pods(3);
    for (const [pod, id, markAcceptBit] of [
      [a, 'a', 0],
      [b, 'b', 7],
      [c, 'c', 7],
    ] as const) {
      if (pod !== undefined) await host.add(pod, { id, config: configOf(host, { markAcceptBit }, []) });
    }
    const names = async (): Promise<number> =>
      (await host.net.run('nft', 'list', 'table', 'inet', 'plumb-firewall')).match(/"plumb\w+"/g)?.length ??
      0;
    expect(await names()).toBe(3);
    await host.net.sh(`rm -r ${host.runDir}`);
    await host.ok('DEL', { id: 'a', config: configOf(host) });
    expect(await names()).toBe(2);
    // The one is stale, the other has lost its host end.
    await c?.remove();
    const valid = { 'cni.dev/valid-attachments': [{ containerID: 'c', ifname: 'eth0' }] };
    await host.ok('GC', { id: 'gc', config: { ...configOf(host), ...valid } });
    expect(await names()).toBe(0);
  });

  describe('what somebody has flushed', () => {
    const FULL = { markAcceptBit: 16, antiSpoofing: true, ingressPolicy: 'same-bridge' };

    /** A container with everything, a service in it, and one on a machine outside. */
    async function furnished(host: Host) {
      const [out, pod] = [await outside(host), await host.pod()];
      await dropByIptables(host);
      const config = configOf(host, FULL);
      const added = await host.add(pod, { config });
      await Promise.all([serve(host, out, 8080), serve(host, pod, 80)]);
      await works(out, pod);
      return { out, pod, config, added };
    }

    async function works(out: Namespace, pod: Namespace): Promise<void> {
      const own = ['10.99.0.1', '10.99.0.1'];
      expect(await ask(pod, 8080, OUTSIDE[4], OUTSIDE[6], HOST[4])).toEqual([...seen(HOST), ...own]);
      expect(await askAll(out, HOST, 8080)).toEqual(seen(OUTSIDE));
    }

    const rules = async (host: Host): Promise<string[]> =>
      (await host.net.run('nft', '-s', 'list', 'ruleset'))
        .split('\n')
        .map((line) => line.trim())
        .sort();

    test.for([
      [
        'flush chain inet plumb postrouting',
        'delete chain inet plumb postrouting',
        'flush table inet plumb-ports',
      ],
      ['flush chain inet plumb-guard forward', 'flush chain inet plumb-firewall forward16'],
      ['delete table inet plumb-ports', 'delete table inet plumb-firewall', 'flush ruleset'],
    ])(
      '%j: CHECK notices each, and the next ADD of another container makes it good',
      async (commands, { host }) => {
        const { out, pod, config, added } = await furnished(host);
        const before = await rules(host);
        for (const command of commands) {
          await host.net.run('nft', command);
          if (command === 'flush ruleset') await dropByIptables(host);
          expect(await rules(host), command).not.toEqual(before);
          expect(await checked(host, pod, config, added), command).not.toBe('');
          const other = await host.pod();
          const otherConfig = configOf(host, FULL, [{ hostPort: 9090, containerPort: 90, protocol: 'tcp' }]);
          await host.add(other, { id: 'c2', config: otherConfig });
          expect(await checked(host, pod, config, added), command).toBe('');
          await host.ok('STATUS', { config });
          await works(out, pod);
          await host.ok('DEL', { id: 'c2', netns: other, config: otherConfig });
          expect(await rules(host), command).toEqual(before);
        }
      },
    );

    test('flush ruleset: an ADD of a container of another network, without ports or guard, gives all back', async ({
      host,
    }) => {
      const { out, pod, config, added } = await furnished(host);
      const before = await rules(host);
      await host.net.run('nft', 'flush', 'ruleset');
      await dropByIptables(host);
      const plain = host.c4({ subnet: '10.98.0.0/24' }, { name: 'plain' });
      const other = await host.pod();
      await host.add(other, { id: 'c2', config: plain });
      // What iptables has is given back by who asks for it.
      expect(await checked(host, pod, config, added)).toMatch(
        /^network t: chain ip filter FORWARD lacks [^;]*; chain ip6 filter FORWARD lacks [^;]*$/,
      );
      const third = await host.pod();
      await host.add(third, { id: 'c3', config: configOf(host, FULL, []) });
      expect(await checked(host, pod, config, added)).toBe('');
      await works(out, pod);
      await host.ok('DEL', { id: 'c3', netns: third, config });
      await host.ok('DEL', { id: 'c2', netns: other, config: plain });
      // But for the subnet of the other network, which stays.
      const ends = (all: string[]): unknown => all.join('\n').match(/"plumb[^"]*"/g);
      expect(ends(await rules(host))).toEqual(ends(before));
    });

    test('what is gone is not given back, nor what records of older versions do not tell', async ({
      host,
    }) => {
      const [first, second, third] = [await host.pod(), await host.pod(), await host.pod()];
      const config = configOf(host, FULL);
      await host.add(first, { config });
      await host.add(second, { id: 'c2', config: configOf(host, FULL, []) });
      await second.remove();
      await host.net.sh(`
        cd ${host.runDir}/t
        for file in *.json; do jq -c 'del(.sourceNat, .ports[]?.containerPort)' $file >/run/$$; cat /run/$$ >$file; done
        rm /run/$$; nft flush ruleset`);
      await host.add(third, { id: 'c3', config: configOf(host, FULL, []) });
      const ends = (await host.net.run('nft', 'list', 'set', 'inet', 'plumb', 'masq')).match(/"plumb\w+"/g);
      expect(ends).toHaveLength(2);
      expect(await host.net.run('nft', 'list', 'tables')).not.toContain('plumb-ports');
    });
  });
});
