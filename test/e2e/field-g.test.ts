import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { blindEnvironment } from '../../scripts/lib/blind-environment.ts';
import { makeNetns, type Netns, run } from '../support/netns.ts';
import {
  callPlugin,
  EXECUTABLES,
  executable,
  type Outcome,
  repetitions,
  startPlugin,
} from '../support/plugin.ts';

// Section G of the reports from the field: whatever environment and working directory a runtime has, however its
// disks are mounted and its pipes read, and however busy its machine is, both executables do the same, and leave nothing
// behind.

// A shared library that leaves a file when it is loaded.
const BOMB = `
#include <fcntl.h>
__attribute__((constructor)) static void loaded(void) { open(MARKER, O_CREAT | O_WRONLY, 0600); }`;
const LIBRARIES = ['koffi.node', 'libc.so.6', 'libc.so'];
const NOBODY = 65534;
const BUN = join(import.meta.dirname, '../../node_modules/@oven/bun-linux-x64/bin/bun');
const NOTHING = { status: 0, stdout: '', stderr: '' };

let pod: Netns;
let scratch: string;
/** A shared library, and the file that shows that it was loaded. */
let bomb: string;
let marker: string;
beforeAll(() => {
  pod = makeNetns();
  scratch = mkdtempSync('/run/field-g-');
  bomb = join(scratch, 'bomb.node');
  marker = join(scratch, 'loaded');
  execFileSync('gcc', ['-shared', '-fPIC', `-DMARKER="${marker}"`, '-o', bomb, '-xc', '-'], { input: BOMB });
  execFileSync('/bin/true', { env: { LD_PRELOAD: bomb } });
  if (!existsSync(marker)) throw new Error('the library does not show that it is loaded');
  rmSync(marker);
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
    name: 'field-g',
    type: 'plumb',
    ipMasq: true,
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
// The checkout may lie in one of the folders that are hidden.
const REACHABLE = 'mount --bind "$(dirname "$BIN")" /mnt; BIN=/mnt/$(basename "$BIN")';
const MOUNTS = `
${REACHABLE}
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

// $D becomes a machine with the executable, the libraries that it is linked with, and nothing else.
const ALONE = `
mount -t tmpfs tmpfs "$D"
for library in $(ldd "$BIN" | awk '/[(]0x/ { print $(NF - 1) }' | grep ^/); do
  mkdir -p "$D$(dirname "$library")"
  cp "$library" "$D$library"
done
mkdir "$D/proc" "$D/leases"
mount -t proc proc "$D/proc"
touch "$D/netns"
mount --bind "$NETNS" "$D/netns"
cp "$BIN" "$D/plugin"
`;

const ROUTES = Array.from({ length: 3000 }, (_, i) => ({
  dst: `172.${16 + (i >> 8)}.${i & 255}.0/24`,
  gw: '10.97.0.1',
}));

/** A pipe as a shell makes it: those of node:child_process are sockets. */
function makePipe(writerFlags: number): { reader: number; writer: number } {
  const path = join(newFolder(), 'pipe');
  run('mkfifo', path);
  const both = openSync(path, constants.O_RDWR);
  const writer = openSync(path, constants.O_WRONLY | writerFlags);
  const reader = openSync(path, constants.O_RDONLY);
  closeSync(both);
  return { reader, writer };
}

function closedPipe(): number {
  const { reader, writer } = makePipe(0);
  closeSync(reader);
  return writer;
}

function files(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

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

  test('B89: the runtime inside has no way to the environment', () => {
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
  ])('B89, B83: the environment changes nothing: %s=%s', (variable, value) => {
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

  test('B89: the environment changes nothing: PATH and all else unset', () => {
    expect(cycle(path, {}, empty)).toEqual(plain);
  });

  test('B89, B100: the working directory changes nothing', () => {
    const cwd = newFolder();
    const script = 'require("fs").writeFileSync("loaded", ""); process.exit(3);';
    const planted: Readonly<Record<string, string>> = {
      'bunfig.toml': 'preload = ["./preload.js"]\n',
      'preload.js': script,
      '.env': 'CNI_COMMAND=DEL\nCNI_CONTAINERID=other\nBUN_OPTIONS=--version\n',
      '.env.local': 'CNI_IFNAME=other\n',
      'tsconfig.json': '{ broken',
      'package.json': '{ broken',
      'node_modules/koffi/index.js': script,
      'node_modules/@koromix/koffi-linux-x64/index.js': script,
    };
    for (const [file, text] of Object.entries(planted)) {
      mkdirSync(join(cwd, file, '..'), { recursive: true });
      writeFileSync(join(cwd, file), text);
    }
    for (const place of [
      '.',
      'build/koffi/linux_x64',
      'node_modules',
      'node_modules/@koromix/koffi-linux-x64/linux_x64',
      'node_modules/koffi/build/koffi/linux_x64',
    ]) {
      mkdirSync(join(cwd, place), { recursive: true });
      for (const file of LIBRARIES) copyFileSync(bomb, join(cwd, place, file));
    }
    const before = readdirSync(cwd, { recursive: true }).sort();
    expect(cycle(path, { NODE_PATH: join(cwd, 'node_modules') }, cwd)).toEqual(plain);
    expect(readdirSync(cwd, { recursive: true }).sort()).toEqual(before);
    expect(existsSync(marker)).toBe(false);
  });

  // vm.memfd_noexec belongs to the process namespace, which is why this has its own.
  test.each([0, 2])(
    'B92: every temporary folder is noexec, all else read-only, vm.memfd_noexec=%i',
    (noexec) => {
      const folder = mkdtempSync('/var/lib/field-g-');
      try {
        const lines = inPrivateMounts(
          `${MOUNTS}
         [ ! -e /proc/sys/vm/memfd_noexec ] || echo ${noexec} >/proc/sys/vm/memfd_noexec
         echo "$CONFIG" | call ADD >"$D/result"
         cat "$D/result"
         echo "$CONFIG" | jq -c --slurpfile r "$D/result" '. + {prevResult: $r[0]}' | call CHECK
         echo "$CONFIG" | call DEL
         rm -r "$D/field-g"; find /tmp /var/tmp /dev/shm /run -mindepth 1 ! -path /run/mount ! -path /run/plumb ! -path /run/plumb/field-g
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

  test('B90: a long result arrives whole, however late it is read and whatever kind of pipe it is', async () => {
    const long = config(newFolder(), ROUTES);
    for (const flags of [0, constants.O_NONBLOCK]) {
      const pipe = makePipe(flags);
      const child = spawn(path, [], {
        env: { ...cniVariables('ADD') },
        stdio: ['pipe', pipe.writer, 'ignore'],
      });
      closeSync(pipe.writer);
      child.stdin?.end(long);
      const ended = new Promise((done) => child.on('close', done));
      await sleep(500);
      const result = await text(createReadStream('', { fd: pipe.reader }));
      expect(await ended).toBe(0);
      expect(result.length).toBeGreaterThan(100_000);
      expect(JSON.parse(result).routes).toEqual(ROUTES);
      expect(callPlugin(name, { command: 'DEL', stdin: long, netns: pod.path })).toEqual(NOTHING);
    }
  });

  test('B90: so does a long error', async () => {
    const key = 'K'.repeat(100_000);
    const pipe = makePipe(0);
    const child = spawn(path, [], {
      env: { ...cniVariables('ADD'), CNI_ARGS: `${key}=1` },
      stdio: ['pipe', pipe.writer, 'ignore'],
    });
    closeSync(pipe.writer);
    child.stdin?.end(config(newFolder()));
    const ended = new Promise((done) => child.on('close', done));
    await sleep(200);
    const { code, msg } = JSON.parse(await text(createReadStream('', { fd: pipe.reader })));
    expect({ code, exit: await ended }).toEqual({ code: 4, exit: 1 });
    expect(msg).toContain(key);
  });

  test.each([
    ['a pipe without a reader', () => closedPipe()],
    ['a full disk', () => openSync('/dev/full', 'w')],
  ])('B90: an ADD whose result goes to %s ends, and takes the attachment back', (_, open) => {
    for (const routes of [[], ROUTES]) {
      const dataDir = newFolder();
      const state = (): string[] => [
        run('ip', '-o', 'link'),
        run('ip', 'route'),
        pod.ip('-o', 'link'),
        run('nft', 'list', 'set', 'inet', 'plumb', 'masq'),
        ...files(`${dataDir}/field-g`).filter((file) => file.startsWith('10.')),
        ...files('/run/plumb/field-g'),
      ];
      const before = state();
      const stdout = open();
      const { status, signal } = spawnSync(path, [], {
        env: cniVariables('ADD'),
        input: config(dataDir, routes),
        stdio: ['pipe', stdout, 'pipe'],
        timeout: 20_000,
      });
      closeSync(stdout);
      expect({ status, signal }).toEqual({ status: 1, signal: null });
      expect(state()).toEqual(before);
    }
  });

  test('B90: other answers that nobody reads end too, and not with success', () => {
    for (const [command, stdin] of [
      ['VERSION', '{}'],
      ['ADD', '{}'],
    ] as const) {
      const stdout = closedPipe();
      const { status, signal } = spawnSync(path, [], {
        env: cniVariables(command),
        input: stdin,
        stdio: ['pipe', stdout, 'pipe'],
        timeout: 20_000,
      });
      closeSync(stdout);
      expect({ status, signal }).toEqual({ status: 1, signal: null });
    }
  });

  test('B94: forty first runs at once', async () => {
    const stdin = config(newFolder(), []);
    const all = (command: string): Promise<Outcome[]> =>
      Promise.all(
        Array.from({ length: 40 }, (_, i) =>
          startPlugin(name, { command, ifname: `eth${i}`, netns: pod.path, stdin }),
        ),
      );
    for (const outcome of await all('VERSION')) expect(outcome).toEqual(plain[0]);
    const added = await all('ADD');
    for (const outcome of added) expect(outcome).toMatchObject({ status: 0, stderr: '' });
    const addresses = added.map(({ stdout }) => JSON.parse(stdout).ips[0].address);
    expect(new Set(addresses).size).toBe(40);
    for (const outcome of await all('DEL')) expect(outcome).toEqual(NOTHING);
  });

  test('B95, B100: libraries that somebody laid where one could be looked for or unpacked are not loaded', () => {
    const own = newFolder();
    const lines = inPrivateMounts(
      `mount -t tmpfs tmpfs "$D"
       touch "$D/netns"
       mount --bind "$NETNS" "$D/netns"
       cp "$BIN" "$D/$NAME"
       for folder in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o mode=1777 tmpfs "$folder"; done
       mkdir "$D/build" "$D/node_modules" /tmp/koffi
       for folder in /tmp /tmp/koffi /var/tmp /dev/shm "$D" "$D/build" "$D/node_modules"; do
         for file in $LIBRARIES; do cp "$BOMB" "$folder/$file"; done
         chown $NOBODY "$folder" $(printf "$folder/%s " $LIBRARIES)
       done
       before=$(find "$D" /tmp /var/tmp /dev/shm -type f ! -name netns | sort | xargs sha256sum)
       cd /tmp
       export CNI_CONTAINERID=c1 CNI_NETNS="$D/netns" CNI_IFNAME=eth0 CNI_PATH=/none
       for command in VERSION ADD DEL; do
         echo "$CONFIG" | CNI_COMMAND=$command "$D/$NAME"
         echo
       done
       rm -r "$D/field-g" "$D/.plumb-index.field-g"
       [ "$before" = "$(find "$D" /tmp /var/tmp /dev/shm -type f ! -name netns | sort | xargs sha256sum)" ]`,
      {
        BIN: path,
        NAME: name,
        D: own,
        NETNS: pod.path,
        CONFIG: config(own),
        BOMB: bomb,
        LIBRARIES: LIBRARIES.join(' '),
        NOBODY: `${NOBODY}`,
      },
    );
    expect(lines).toHaveLength(2);
    expect(lines[0]).toBe(plain[0]?.stdout.trim());
    expect(JSON.parse(lines[1] ?? '').ips).toEqual(JSON.parse(plain[1]?.stdout ?? '').ips);
    expect(existsSync(marker)).toBe(false);
  });

  test('B96: fifty cycles, and calls that are killed, leave no file', () => {
    const folder = mkdtempSync('/var/lib/field-g-');
    try {
      const lines = inPrivateMounts(
        `${REACHABLE}
         mount -t tmpfs tmpfs "$D"
         touch "$D/netns"
         mount --bind "$NETNS" "$D/netns"
         mkdir "$D/home"
         for folder in /tmp /var/tmp /dev/shm /run; do mount -t tmpfs tmpfs "$folder"; done
         export HOME="$D/home" CNI_CONTAINERID=c1 CNI_NETNS="$D/netns" CNI_IFNAME=eth0 CNI_PATH=/none
         echo "$CONFIG" >"$D/config"
         i=0
         while [ $i -lt "$CYCLES" ]; do
           CNI_COMMAND=ADD "$BIN" <"$D/config" >"$D/result"
           CNI_COMMAND=DEL "$BIN" <"$D/config"
           i=$((i + 1))
         done
         for delay in 0.004 0.006 0.008 0.010 0.014 0.018 0.022 0.026 0.030 0.040; do
           CNI_COMMAND=ADD timeout -s KILL $delay "$BIN" <"$D/config" >"$D/result" 2>&1 || true
           CNI_COMMAND=DEL "$BIN" <"$D/config"
         done
         find /tmp /var/tmp /dev/shm /run "$D/home" -mindepth 1 ! -path /run/plumb ! -path /run/plumb/field-g
         find "$D/field-g" -type f -name '10.97.*'
         echo end`,
        { BIN: path, D: folder, NETNS: pod.path, CONFIG: config(folder), CYCLES: `${repetitions(50)}` },
      );
      expect(lines.filter((line) => line !== 'Killed')).toEqual(['end']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('B97, B100: the file alone, on a machine that has the libraries it is linked with and nothing else', () => {
    const folder = mkdtempSync('/var/lib/field-g-');
    try {
      const lines = inPrivateMounts(
        `${ALONE}
         export CNI_CONTAINERID=c1 CNI_NETNS=/netns CNI_IFNAME=eth0 CNI_PATH=/none
         for command in VERSION ADD DEL; do
           echo "$CONFIG" | CNI_COMMAND=$command chroot "$D" /plugin
           echo
         done
         ls "$D"`,
        { BIN: path, D: folder, NETNS: pod.path, CONFIG: config('/leases') },
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

  test('B97: with a C library that is too old the loader says which version is missing; with none the file cannot be started', () => {
    const folder = mkdtempSync('/var/lib/field-g-');
    try {
      const lines = inPrivateMounts(
        `${ALONE}
         start() {
           echo "$CONFIG" | CNI_COMMAND=ADD CNI_CONTAINERID=c1 CNI_NETNS=/netns CNI_IFNAME=eth0 CNI_PATH=/none \\
             chroot "$D" /plugin 2>&1 || echo "exit $?"
         }
         libm=$D$(ldd "$BIN" | awk '/libm.so.6/ { print $3 }')
         echo 'ANCIENT { global: nothing; };' >"$D/versions"
         echo 'int nothing;' | gcc -shared -nostdlib -Wl,-soname,libm.so.6 -Wl,--version-script="$D/versions" -o "$libm" -xc -
         start
         rm "$D"/lib64/ld-*
         start
         ls "$D/leases"`,
        { BIN: path, D: folder, NETNS: pod.path, CONFIG: config('/leases') },
      );
      expect([lines[0], ...lines.slice(-3)]).toEqual([
        expect.stringMatching(
          /^\/plugin: .*libm\.so\.6: version `GLIBC_2\.[\d.]+' not found \(required by \/plugin\)$/,
        ),
        'exit 1',
        expect.stringMatching(/plugin.*No such file or directory$/),
        'exit 127',
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('B97: it needs no later C library than docs/executables.md says', () => {
    const versions = execFileSync('readelf', ['--version-info', path], { encoding: 'utf8' });
    const minors = [...versions.matchAll(/Name: GLIBC_2\.(\d+)/g)].map((match) => Number(match[1]));
    expect(Math.max(...minors)).toBeLessThanOrEqual(28);
  });

  describe('B99: on a host with 300 interfaces, each with an address, and 2000 routes in another table', () => {
    let host: Netns;
    beforeAll(() => {
      host = makeNetns();
      const links = Array.from({ length: 300 }, (_, i) => i);
      const batch = [
        'link set lo up',
        ...links.map((i) => `link add busy${i} type veth peer name peer${i}`),
        ...links.map((i) => `addr add 172.30.${i >> 6}.${(i & 63) * 4 + 1}/30 dev busy${i}`),
        ...links.map((i) => `link set busy${i} up`),
        ...Array.from(
          { length: 2000 },
          (_, i) => `route add 172.16.${i >> 8}.${i & 255}/32 dev lo table 100`,
        ),
      ];
      execFileSync('ip', ['-n', host.name, '-batch', '-'], { input: batch.join('\n') });
    });
    afterAll(() => host.remove());

    test('ADD and CHECK are right, and CHECK takes no other interface or table for ours', () => {
      const stdin = JSON.parse(config(newFolder()));
      const call = (command: string, more: object = {}): Outcome =>
        host.inside(() => callPlugin(name, { command, netns: pod.path, stdin: { ...stdin, ...more } }));
      const added = call('ADD');
      expect(added).toMatchObject({ status: 0, stderr: '' });
      const prevResult = JSON.parse(added.stdout);
      const hostName: string = prevResult.interfaces[0].name;
      expect(prevResult.ips).toEqual([{ address: '10.97.0.2/24', gateway: '10.97.0.1', interface: 1 }]);
      const addresses = JSON.parse(host.ip('-j', 'addr', 'show', 'dev', hostName))[0].addr_info;
      expect(addresses).toContainEqual(
        expect.objectContaining({ family: 'inet', local: '10.97.0.1', prefixlen: 32 }),
      );
      expect(JSON.parse(host.ip('-j', 'route', 'show', '10.97.0.2'))).toMatchObject([
        { dst: '10.97.0.2', dev: hostName, scope: 'link' },
      ]);
      expect(call('CHECK', { prevResult })).toEqual(NOTHING);

      pod.ip('link', 'add', 'other', 'type', 'veth', 'peer', 'name', 'other2');
      pod.ip('link', 'set', 'other', 'up');
      pod.ip('link', 'set', 'other2', 'up');
      // An interface that loses its last address loses its routes.
      pod.ip('addr', 'add', '192.0.2.9/32', 'dev', 'eth0');
      const gateway = ['via', '10.97.0.1', 'dev', 'eth0'];
      const mac = (ns: Netns, link: string): string =>
        JSON.parse(ns.ip('-j', 'link', 'show', 'dev', link))[0].address;
      const faults: { what: RegExp; steps: string[][]; ns: Netns; repair: string[][] }[] = [
        {
          what: /address 10\.97\.0\.2\/24 is missing on eth0/,
          ns: pod,
          steps: [
            ['addr', 'add', '10.97.0.2/24', 'dev', 'other', 'noprefixroute'],
            ['addr', 'del', '10.97.0.2/24', 'dev', 'eth0'],
          ],
          repair: [
            ['addr', 'add', '10.97.0.2/24', 'dev', 'eth0', 'noprefixroute'],
            ['addr', 'del', '10.97.0.2/24', 'dev', 'other'],
          ],
        },
        {
          what: /route 0\.0\.0\.0\/0 is missing or changed on eth0/,
          ns: pod,
          steps: [
            ['route', 'add', 'default', ...gateway, 'table', '100'],
            ['route', 'del', 'default'],
          ],
          repair: [['route', 'add', 'default', ...gateway]],
        },
        {
          what: /route 0\.0\.0\.0\/0 is missing or changed on eth0/,
          ns: pod,
          steps: [
            ['addr', 'add', '10.98.0.2/24', 'dev', 'other'],
            ['route', 'replace', 'default', 'via', '10.98.0.1', 'dev', 'other'],
          ],
          repair: [['route', 'replace', 'default', ...gateway]],
        },
        {
          what: /host route to 10\.97\.0\.2 dev plumb\w+ is missing/,
          ns: host,
          steps: [['route', 'replace', '10.97.0.2', 'dev', 'busy7', 'scope', 'link']],
          repair: [['route', 'replace', '10.97.0.2', 'dev', hostName, 'scope', 'link']],
        },
        {
          what: /host route to 10\.97\.0\.2 dev plumb\w+ is missing/,
          ns: host,
          steps: [
            ['route', 'add', '10.97.0.2', 'dev', hostName, 'scope', 'link', 'table', '100'],
            ['route', 'del', '10.97.0.2', 'dev', hostName, 'table', 'main'],
          ],
          repair: [['route', 'add', '10.97.0.2', 'dev', hostName, 'scope', 'link', 'table', 'main']],
        },
        {
          what: /interface eth0 in the container has MAC/,
          ns: pod,
          steps: [
            ['link', 'set', 'other', 'address', mac(pod, 'eth0')],
            ['link', 'set', 'eth0', 'address', '02:00:00:00:00:01'],
          ],
          repair: [['link', 'set', 'eth0', 'address', mac(pod, 'eth0')]],
        },
      ];
      for (const { what, ns, steps, repair } of faults) {
        for (const step of steps) ns.ip(...step);
        const outcome = call('CHECK', { prevResult });
        expect(outcome.status).toBe(1);
        expect(JSON.parse(outcome.stdout)).toMatchObject({ code: 102, msg: expect.stringMatching(what) });
        for (const step of repair) ns.ip(...step);
        expect(call('CHECK', { prevResult })).toEqual(NOTHING);
      }
      pod.ip('link', 'del', 'other');
      expect(call('DEL', { prevResult })).toEqual(NOTHING);
      expect(host.ip('-o', 'link')).not.toContain(hostName);
    });
  });
});

// The loader does not see what `bun:ffi` looks up.
test('B97: a C library without a function that plumb calls is a JSON error that names it', () => {
  const data = readFileSync(executable('plumb'));
  let renamed = 0;
  // The programs lie behind the runtime.
  for (let at = statSync(BUN).size; ; renamed++) {
    at = data.indexOf('statx', at);
    if (at < 0) break;
    data.write('statq', at);
  }
  expect(renamed).toBeGreaterThan(0);
  const copy = join(newFolder(), 'plumb');
  writeFileSync(copy, data, { mode: 0o755 });
  const { status, stdout } = callPlugin(copy, {
    command: 'ADD',
    netns: pod.path,
    stdin: config(newFolder()),
  });
  expect(status).toBe(1);
  expect(JSON.parse(stdout).msg).toContain('Symbol "statq" not found in "libc.so.6"');
  rmSync(copy);
});

test('B94: both executables at once on one network, as an old and a new version are', async () => {
  const stdin = config(newFolder(), []);
  const all = (command: string): Promise<Outcome[]> =>
    Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        startPlugin(EXECUTABLES[i % 2] ?? '', { command, ifname: `eth${i}`, netns: pod.path, stdin }),
      ),
    );
  const added = await all('ADD');
  for (const outcome of added) expect(outcome).toMatchObject({ status: 0, stderr: '' });
  expect(new Set(added.map(({ stdout }) => JSON.parse(stdout).ips[0].address)).size).toBe(40);
  for (const outcome of await all('DEL')) expect(outcome).toEqual(NOTHING);
});
