import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { executable } from '../support/plugin.ts';
import { REFERENCE, shared } from '../support/shared.ts';

const cnitool = join(import.meta.dirname, '../../.cache/cnitool');
const CONFLIST = {
  cniVersion: '1.0.0',
  name: 'clienttest',
  plugins: [
    {
      type: 'plumb',
      ipMasq: true,
      mtu: 1400,
      ipam: {
        type: 'host-local',
        ranges: [[{ subnet: '10.77.0.0/24' }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
};
// What stays by design: libcni's cache, host-local's lock and last address, our index; our tables without any
// container's element; the reference portmap's shared chains.
const LEFT_OK = [
  'file /var/lib/cni(/results|/networks(/(clienttest|pods)(/lock|/last_reserved_ip\\.[0-9])?|/\\.plumb-index.*)?)?$',
  'nft inet plumb: *([^e ]|elements = \\{ [0-9a-f])',
  'nft inet plumb: *$',
  'nft inet plumb-ports: *([^e ]|$)',
  'nft (inet|ip|ip6) cni_hostport',
  'rule .*(CNI-HOSTPORT-(DNAT|SETMARK|MASQ)|KUBE-MARK-)',
].join('|');

let work: string;
const [cnitoolScript, ctr, cri, podman] = [
  shared('clients/1-cnitool.sh'),
  shared('clients/2-ctr.sh'),
  shared('clients/3-cri.sh'),
  shared('clients/4-podman.sh'),
];

describe.skipIf([cnitoolScript, ctr, cri, podman].some(({ missing }) => missing))('real clients', () => {
  beforeAll(() => {
    work = mkdtempSync('/tmp/plumb-clients-');
    // All clients run what is installed, and one of them the configuration that comes with it.
    const places = ['--bin-dir', join(work, 'bin'), '--conf-dir', join(work, 'installed/conf')];
    expect(spawnSync(executable('plumb'), ['install', ...places]).status).toBe(0);
    symlinkSync('../bin', join(work, 'installed/bin'));
    mkdirSync(join(work, 'conf'));
    copyFileSync(join(REFERENCE, 'portmap'), join(work, 'bin/portmap'));
    writeFileSync(join(work, 'conf/10-clienttest.conflist'), JSON.stringify(CONFLIST));
  });
  afterAll(() => rmSync(work, { recursive: true }));

  const client = (path: string, folder = work, more: Readonly<Record<string, string>> = {}): string => {
    const { stdout, stderr } = spawnSync(path, [], {
      encoding: 'utf8',
      env: {
        ...process.env,
        CNI_BIN_DIR: join(folder, 'bin'),
        CNI_CONF_DIR: join(folder, 'conf'),
        CNITOOL: cnitool,
        GRPC_MODULES: join(import.meta.dirname, '../..'),
        REFERENCE: '',
        LEFT_OK: `^(${LEFT_OK})`,
        ...more,
      },
    });
    return `${stdout}\n${stderr}`;
  };

  test.skipIf(!existsSync(cnitool))('cnitool adds, checks, deletes, and deletes again', () => {
    expect(client(cnitoolScript.path)).toMatch(/^PASS cnitool$/m);
  });
  test('ctr run --cni gives a container a network', () => {
    expect(client(ctr.path)).toMatch(/^PASS ctr crun$/m);
  });
  test('ctr takes what plumb install has put in place, with its own configuration', () => {
    expect(client(ctr.path, join(work, 'installed'))).toMatch(/^PASS ctr crun$/m);
  });
  test('CRI runs a pod with a host port, stops it twice and removes it', () => {
    expect(client(cri.path)).toMatch(/^PASS cri crun$/m);
  });
  test('podman runs a container with a published port and removes it', () => {
    expect(client(podman.path)).toMatch(/^PASS podman crun$/m);
  });
  test('podman asks for address and MAC, and reloads the network of one container and of all', () => {
    const folder = join(work, 'own-ports');
    mkdirSync(join(folder, 'conf'), { recursive: true });
    symlinkSync('../bin', join(folder, 'bin'));
    const [entry] = CONFLIST.plugins;
    const list = { ...CONFLIST, plugins: [{ ...entry, capabilities: { portMappings: true, ips: true } }] };
    writeFileSync(join(folder, 'conf/10-clienttest.conflist'), JSON.stringify(list));
    const script = join(import.meta.dirname, '../support/podman.sh');
    expect(client(script, folder, { CLIENTS: dirname(podman.path) })).toMatch(/^PASS podman reload$/m);
  });
});
