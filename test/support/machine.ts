import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { exec } from './host.ts';
import { executable, type Outcome } from './plugin.ts';

// A whole machine for a test: unlike a Host it has the usual paths, so that commands run in it as people type them.

const ROOT = join(import.meta.dirname, '../..');
/** Folder that commands run in: `dist/plumb` lies below it, as in a checkout. */
export const WORK = '/run/work';

/** Ids as a runtime makes them, and so that their names of links and MACs are always the same. */
export const IDS = {
  web: '3f2a9c41d07e5b86a1c4e0f7d29b8356e4a7c1d05f3b9862c7e1a4d0b5f89263',
  db: 'b81e60d7c2f94a35e8d1b7f0643c5a92d7e8f1b3c6a50492e3d7f8a1b4c60592',
} as const;

// Overlays, so that nothing of it reaches the real folders. The other machine does not know the containers' addresses.
const MAKE = `
mount -t tmpfs -o mode=755 tmpfs /run
mount -t sysfs sysfs /sys
for dir in etc opt var/lib usr/local; do
  mkdir -p /run/overlay/$dir/upper /run/overlay/$dir/work
  mount -t overlay -o lowerdir=/$dir,upperdir=/run/overlay/$dir/upper,workdir=/run/overlay/$dir/work overlay /$dir
done
rm -rf /etc/cni /opt/cni /var/lib/cni
mkdir -p ${WORK}/dist /run/home/.config/fish/completions /usr/local/share/man/man8 /usr/local/share/zsh/site-functions
ip link set lo up
ip netns add outside
ip link add uplink type veth peer name eth0 netns outside
ip address add 198.51.100.1/24 dev uplink
ip link set uplink up
ip -n outside address add 198.51.100.2/24 dev eth0
ip -n outside link set eth0 up
ip -n outside link set lo up
ip route add default via 198.51.100.2
echo made
exec cat`;

// What takes all containers off the network again, for who needs a machine without any.
const DETACH_ALL = `#!/bin/sh
plumb ls --json | jq -r '.[] | "\\(.network) \\(.netns.path) \\(.containerId)"' |
  while read -r network netns id; do plumb del "$network" "$netns" --id "$id"; done`;

/** A machine in namespaces of its own, with an uplink to another one, and nothing of CNI on it. */
export class Machine {
  readonly #init: ChildProcess;

  private constructor(init: ChildProcess) {
    this.#init = init;
  }

  /** Makes one; `name` is the executable that is `dist/plumb` there. */
  static async make(name: string): Promise<Machine> {
    const init = spawn('unshare', ['--net', '--mount', '--propagation', 'private', 'sh', '-euc', MAKE]);
    const errors: string[] = [];
    init.stderr.on('data', (data: Buffer) => errors.push(data.toString()));
    await Promise.race([once(init.stdout, 'data'), once(init, 'close')]);
    if (init.exitCode !== null) throw new Error(`no machine: ${errors.join('')}`);
    const machine = new Machine(init);
    await machine.must(`cat >/usr/local/sbin/detach-all <<'END'
${DETACH_ALL}
END
      chmod +x /usr/local/sbin/detach-all
      ln -s ${executable(name)} dist/plumb; cp ${ROOT}/conf/10-plumb.conflist .`);
    return machine;
  }

  /** Runs lines of bash, as root types them there. */
  run(script: string): Promise<Outcome> {
    const { pid } = this.#init;
    const env = {
      PATH: '/opt/cni/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/run/home',
    };
    const enter = ['nsenter', `--target=${pid}`, '--net', '--mount', '--'];
    return exec([...enter, 'bash', '--norc', '-euo', 'pipefail', '-c', `cd ${WORK}\n${script}`], { env });
  }

  /** Runs lines of bash, which must succeed; returns their standard output. */
  async must(script: string): Promise<string> {
    const { status, stdout, stderr } = await this.run(script);
    if (status !== 0) throw new Error(`${script}: exit ${status}: ${stderr}${stdout}`);
    return stdout;
  }

  /** Installs plumb and gives two containers, `web` with a port of the host and a limit and `db`, the network `pods`. */
  async populate(): Promise<void> {
    const mapping = { hostPort: 8080, containerPort: 80, protocol: 'tcp' };
    const args = {
      portMappings: [mapping],
      bandwidth: { ingressRate: 50_000_000, ingressBurst: 5_000_000 },
    };
    await this.must(`dist/plumb install 2>&1
      ip netns add web
      ip netns add db
      plumb add pods /run/netns/web --id ${IDS.web} --capability-args '${JSON.stringify(args)}'
      plumb add pods /run/netns/db --id ${IDS.db}`);
  }

  async close(): Promise<void> {
    const closed = once(this.#init, 'close');
    this.#init.stdin?.end();
    await closed;
  }
}
