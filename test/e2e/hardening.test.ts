import { spawn, spawnSync } from 'node:child_process';
import {
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { blindEnvironment } from '../../scripts/lib/blind-environment.ts';
import { makeNetns, type Netns } from '../support/netns.ts';
import { EXECUTABLES, executable, type Outcome } from '../support/plugin.ts';

// Section G of the reports from the field: whatever environment and working directory a runtime has, and however its
// disks are mounted, both executables do the same, and leave nothing behind.

const KOFFI = join(import.meta.dirname, '../../node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node');
const NOBODY = 65534;

let pod: Netns;
let scratch: string;
beforeAll(() => {
  pod = makeNetns();
  scratch = mkdtempSync('/run/hardening-');
});
afterAll(() => {
  pod.remove();
  rmSync(scratch, { recursive: true });
});

let folders = 0;
function newFolder(): string {
  const folder = join(scratch, `${folders++}`);
  mkdirSync(folder);
  return folder;
}

function config(dataDir: string, routes = [{ dst: '0.0.0.0/0' }]): string {
  return JSON.stringify({
    cniVersion: '1.0.0',
    name: 'hardening',
    type: 'plumb',
    ipam: { type: 'host-local', dataDir, subnet: '10.97.0.0/24', routes },
  });
}

/** The variables of one call, for the container `c1`. */
function cniVariables(command: string, netns = pod.path, ifname = 'eth0'): Record<string, string> {
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: 'c1',
    CNI_NETNS: netns,
    CNI_IFNAME: ifname,
    CNI_PATH: '/usr/lib/cni',
  };
}

/** VERSION, ADD and DEL on an empty lease folder: the same answers each time, byte for byte. */
function cycle(path: string, env: Readonly<Record<string, string>>, cwd: string): Outcome[] {
  const dataDir = newFolder();
  return ['VERSION', 'ADD', 'DEL'].map((command) => {
    const { status, stdout, stderr } = spawnSync(path, [], {
      cwd,
      env: { ...env, ...cniVariables(command) },
      input: config(dataDir),
      encoding: 'utf8',
      timeout: 20_000,
    });
    return { status, stdout, stderr };
  });
}

/** Runs a shell script with mounts (and, if asked for, processes) of its own; `$BIN` is the executable. */
function inPrivateMounts(
  script: string,
  env: Readonly<Record<string, string>>,
  ...options: string[]
): string[] {
  const { stdout, stderr, status } = spawnSync(
    'unshare',
    ['--mount', '--propagation', 'private', ...options, 'sh', '-euc', script],
    { encoding: 'utf8', env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...env } },
  );
  expect({ stdout, stderr, status }).toEqual({ stdout, stderr: '', status: 0 });
  return stdout.split('\n').filter((line) => line !== '');
}

// $D is a folder that nothing can be executed from, and the only one that can be written to. Its subfolder `netns`
// is the pod's namespace, because /run is covered up.
const MOUNTS = `
mount -t tmpfs tmpfs "$D"
touch "$D/netns"
mount --bind "$NETNS" "$D/netns"
mount -o remount,bind,noexec "$D"
for folder in /tmp /var/tmp /dev/shm /run; do mount -t tmpfs -o noexec,nosuid,nodev tmpfs "$folder"; done
mount -o remount,bind,ro /
! touch /probe 2>/dev/null
call() {
  CNI_COMMAND=$1 CNI_CONTAINERID=c1 CNI_NETNS="$D/netns" CNI_IFNAME=eth0 CNI_PATH=/none "$BIN"
  echo
}
`;

describe.each(EXECUTABLES)('%s', (name) => {
  const path = executable(name);
  let plain: Outcome[];
  let empty: string;

  beforeAll(() => {
    empty = newFolder();
    plain = cycle(path, { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }, empty);
    expect(plain.map(({ status, stderr }) => ({ status, stderr }))).toEqual(
      Array.from({ length: 3 }, () => ({ status: 0, stderr: '' })),
    );
    expect(JSON.parse(plain[1]?.stdout ?? '').ips).toEqual([
      { address: '10.97.0.2/24', gateway: '10.97.0.1', interface: 1 },
    ]);
  });

  test('B89 the runtime inside has no way to the environment', () => {
    const copy = join(newFolder(), name);
    copyFileSync(path, copy);
    expect(() => blindEnvironment(copy)).toThrow(/does not import getenv/);
    rmSync(copy);
  });

  test.each([
    ['NODE_OPTIONS', '--require /no/such.js'],
    ['NODE_OPTIONS', '--inspect-brk=0'],
    ['NODE_OPTIONS', '--max-old-space-size=1'],
    ['NODE_OPTIONS', '--bad-flag'],
    ['NODE_OPTIONS', '--trace-warnings'],
    ['NODE_EXTRA_CA_CERTS', '/nonexistent'],
    ['NODE_V8_COVERAGE', 'coverage'],
    ['NODE_REDIRECT_WARNINGS', 'warnings'],
    ['NODE_COMPILE_CACHE', 'cache'],
    ['NODE_PATH', '.'],
    ['NODE_DEBUG', 'net,module,fs'],
    ['NODE_DEBUG_NATIVE', 'mksnapshot,sea'],
    ['NODE_PENDING_DEPRECATION', '1'],
    ['NODE_ICU_DATA', '/nonexistent'],
    ['NODE_CHANNEL_FD', '1'],
    ['NODE_REPL_EXTERNAL_MODULE', './planted.js'],
    ['OPENSSL_CONF', '/nonexistent'],
    ['OPENSSL_CONF', 'openssl.cnf'],
    ['BUN_BE_BUN', '1'],
    ['BUN_OPTIONS', '--version'],
    ['BUN_OPTIONS', '--bad-flag'],
    ['BUN_OPTIONS', '--preload ./planted.js'],
    ['BUN_INSPECT', 'unix://inspect.sock?wait=1'],
    ['BUN_INSPECT_CONNECT_TO', 'unix://inspect.sock'],
    ['BUN_INSPECT_PRELOAD', './planted.js'],
    ['BUN_BYTECODE_ORDER_OUT', 'order'],
    ['BUN_RUNTIME_TRANSPILER_CACHE_PATH', 'cache'],
    ['BUN_JSC_dumpOptions', '1'],
    ['JSC_dumpOptions', '1'],
    ['MIMALLOC_VERBOSE', '1'],
    ['SIMDUTF_FORCE_IMPLEMENTATION', 'none'],
    ['HOME', '/nonexistent'],
    ['TMPDIR', '/nonexistent'],
    ['BUN_TMPDIR', '/nonexistent'],
    ['LC_ALL', 'tr_TR.UTF-8'],
    ['TZ', '/nonexistent'],
    ['PATH', ''],
  ])('B89 B83 the environment changes nothing: %s=%s', (variable, value) => {
    const cwd = newFolder();
    const planted: Readonly<Record<string, string>> = {
      'openssl.cnf':
        'nodejs_conf = n\nopenssl_conf = n\n[n]\nproviders = p\n[p]\nplanted = q\n[q]\nmodule = /nonexistent.so\nactivate = 1\n',
      'planted.js': 'require("fs").writeFileSync("loaded", ""); process.exit(3);',
    };
    for (const [file, text] of Object.entries(planted)) writeFileSync(join(cwd, file), text);
    expect(cycle(path, { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', [variable]: value }, cwd)).toEqual(plain);
    expect(readdirSync(cwd).sort()).toEqual(Object.keys(planted));
  });

  test('B89 the environment changes nothing: PATH and all else unset', () => {
    expect(cycle(path, {}, empty)).toEqual(plain);
  });

  test('B89 B100 the working directory changes nothing', () => {
    const cwd = newFolder();
    const bomb = 'require("fs").writeFileSync("loaded", ""); process.exit(3);';
    const planted: Readonly<Record<string, string>> = {
      'bunfig.toml': 'preload = ["./preload.js"]\n',
      'preload.js': bomb,
      '.env': 'CNI_COMMAND=DEL\nCNI_CONTAINERID=other\nBUN_OPTIONS=--version\n',
      '.env.local': 'CNI_IFNAME=other\n',
      'tsconfig.json': '{ broken',
      'package.json': '{ broken',
      'koffi.node': 'not a library',
      'node_modules/koffi/index.js': bomb,
      'node_modules/@koromix/koffi-linux-x64/index.js': bomb,
      'build/koffi/linux_x64/koffi.node': 'not a library',
    };
    for (const [file, text] of Object.entries(planted)) {
      mkdirSync(join(cwd, file, '..'), { recursive: true });
      writeFileSync(join(cwd, file), text);
    }
    const before = readdirSync(cwd, { recursive: true }).sort();
    expect(cycle(path, { NODE_PATH: join(cwd, 'node_modules') }, cwd)).toEqual(plain);
    expect(readdirSync(cwd, { recursive: true }).sort()).toEqual(before);
  });

  // vm.memfd_noexec belongs to the process namespace, which is why this has its own.
  test.each([0, 2])(
    'B92 every temporary folder is noexec, all else read-only, vm.memfd_noexec=%i',
    (noexec) => {
      const folder = mkdtempSync('/var/lib/hardening-');
      try {
        const lines = inPrivateMounts(
          `${MOUNTS}
         [ ! -e /proc/sys/vm/memfd_noexec ] || echo ${noexec} >/proc/sys/vm/memfd_noexec
         echo "$CONFIG" | call ADD >"$D/result"
         cat "$D/result"
         echo "$CONFIG" | jq -c --slurpfile r "$D/result" '. + {prevResult: $r[0]}' | call CHECK
         echo "$CONFIG" | call DEL
         rm -r "$D/hardening"; find /tmp /var/tmp /dev/shm /run -mindepth 1 ! -path /run/mount ! -path /run/plumb ! -path /run/plumb/hardening
         ls "$D"`,
          { BIN: path, D: folder, NETNS: pod.path, CONFIG: config(folder) },
        );

        expect(lines).toHaveLength(3);
        expect(JSON.parse(lines[0] ?? '').ips).toHaveLength(1);
        expect(lines.slice(1)).toEqual(['netns', 'result']);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );

  test('B94 forty first runs at once', async () => {
    const dataDir = newFolder();
    const all = (command: string): Promise<Outcome[]> =>
      Promise.all(
        Array.from({ length: 40 }, (_, i) => {
          const child = spawn(path, [], { cwd: empty, env: cniVariables(command, pod.path, `eth${i}`) });
          child.stdin.end(config(dataDir, []));
          const outcome = { stdout: '', stderr: '' };
          child.stdout.on('data', (data) => (outcome.stdout += data));
          child.stderr.on('data', (data) => (outcome.stderr += data));
          return new Promise<Outcome>((done) => child.on('close', (status) => done({ status, ...outcome })));
        }),
      );
    for (const { status, stdout } of await all('VERSION')) {
      expect({ status, stdout }).toEqual({ status: 0, stdout: plain[0]?.stdout });
    }
    const added = await all('ADD');
    for (const { status, stdout } of added) expect({ status, stdout }).toMatchObject({ status: 0 });
    const addresses = added.map(({ stdout }) => JSON.parse(stdout).ips[0].address);
    expect(new Set(addresses).size).toBe(40);
    for (const outcome of await all('DEL')) expect(outcome).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  test('B95 files that somebody laid where a native module could be unpacked are not touched', () => {
    const places = ['/dev/shm', '/run', '/tmp', '/var/tmp'].map((folder) => `${folder}/koffi.node`);
    const own = newFolder();
    copyFileSync(path, join(own, name));
    places.push(join(own, 'koffi.node'));
    try {
      for (const place of places) {
        writeFileSync(place, 'not a library', { mode: 0o666 });
        chownSync(place, NOBODY, NOBODY);
      }
      expect(cycle(join(own, name), {}, '/tmp')).toEqual(plain);
      for (const place of places) expect(readFileSync(place, 'utf8')).toBe('not a library');
    } finally {
      for (const place of places) rmSync(place, { force: true });
      rmSync(own, { recursive: true });
    }
  });

  test('B96 fifty cycles, and calls that are killed, leave no file', () => {
    const folder = mkdtempSync('/var/lib/hardening-');
    try {
      const lines = inPrivateMounts(
        `mount -t tmpfs tmpfs "$D"
         touch "$D/netns"
         mount --bind "$NETNS" "$D/netns"
         mkdir "$D/home"
         for folder in /tmp /var/tmp /dev/shm /run; do mount -t tmpfs tmpfs "$folder"; done
         export HOME="$D/home" CNI_CONTAINERID=c1 CNI_NETNS="$D/netns" CNI_IFNAME=eth0 CNI_PATH=/none
         echo "$CONFIG" >"$D/config"
         i=0
         while [ $i -lt 50 ]; do
           CNI_COMMAND=ADD "$BIN" <"$D/config" >"$D/result"
           CNI_COMMAND=DEL "$BIN" <"$D/config"
           i=$((i + 1))
         done
         for delay in 0.004 0.006 0.008 0.010 0.014 0.018 0.022 0.026 0.030 0.040; do
           CNI_COMMAND=ADD timeout -s KILL $delay "$BIN" <"$D/config" >"$D/result" 2>&1 || true
           CNI_COMMAND=DEL "$BIN" <"$D/config"
         done
         find /tmp /var/tmp /dev/shm /run "$D/home" -mindepth 1 ! -path /run/plumb ! -path /run/plumb/hardening
         find "$D/hardening" -type f -name '10.97.*'
         echo end`,
        { BIN: path, D: folder, NETNS: pod.path, CONFIG: config(folder) },
      );
      expect(lines.filter((line) => line !== 'Killed')).toEqual(['end']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('B97 B100 the file alone, on a machine that has the C and C++ libraries and nothing else', () => {
    const folder = mkdtempSync('/var/lib/hardening-');
    try {
      const lines = inPrivateMounts(
        `mount -t tmpfs tmpfs "$D"
         for library in $(ldd "$BIN" "$KOFFI" | awk '/[(]0x/ { print $(NF - 1) }' | grep ^/); do
           mkdir -p "$D$(dirname "$library")"
           cp "$library" "$D$library"
         done
         mkdir "$D/proc" "$D/leases"
         mount -t proc proc "$D/proc"
         touch "$D/netns"
         mount --bind "$NETNS" "$D/netns"
         cp "$BIN" "$D/plugin"
         export CNI_CONTAINERID=c1 CNI_NETNS=/netns CNI_IFNAME=eth0 CNI_PATH=/none
         for command in VERSION ADD DEL; do
           echo "$CONFIG" | CNI_COMMAND=$command chroot "$D" /plugin
           echo
         done
         ls "$D"`,
        { BIN: path, KOFFI, D: folder, NETNS: pod.path, CONFIG: config('/leases') },
      );
      expect(JSON.parse(lines[0] ?? '')).toHaveProperty('supportedVersions');
      expect(JSON.parse(lines[1] ?? '').ips).toHaveLength(1);
      expect(lines.slice(2).filter((entry) => !/^(lib\d*|usr)$/.test(entry))).toEqual([
        'leases',
        'netns',
        'plugin',
        'proc',
        'run',
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
