// A real systemd-logind with a bus and a /run of its own, in a mount namespace that programs can be started in. It cannot
// end this machine: what it would ask for that is a stand-in, and it lacks the right to do so itself.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, must } from '../run.ts';
import { type StandInSystemd, standInForSystemd } from './stand-in-systemd.ts';

const logindProgram = ['/lib/systemd/systemd-logind', '/usr/lib/systemd/systemd-logind'].find(existsSync);
const programs = ['dbus-daemon', 'busctl', 'systemd-inhibit', 'systemctl', 'setpriv', 'unshare', 'nsenter'];

/** Why there can be none here; undefined when there can. Give it to `skip`. */
export function logindMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  const has = (name: string): boolean =>
    (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, name)));
  const missing = programs.filter((name) => !has(name));
  if (!logindProgram) missing.push('systemd-logind');
  if (missing.length > 0) return `not on this host: ${missing.join(', ')}`;
  const isAllowed = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/run']).status === 0;
  return isAllowed ? undefined : 'no mount namespace can be made here';
}

export interface PrivateLogind {
  /** What goes before a command that is to see this logind as the machine's. */
  readonly enter: readonly string[];
  readonly systemd: StandInSystemd;
  /** The table of `systemd-inhibit --list`. */
  inhibitors(): Promise<string>;
  /** How long it waits for those that hold a shutdown back, in seconds. */
  longestDelay(): Promise<number>;
  /** As `systemctl poweroff` does. */
  powerOff(): Promise<void>;
  remove(): Promise<void>;
}

const busConfig = (sockets: readonly string[]): string => `<!DOCTYPE busconfig PUBLIC
  "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  ${sockets.map((path) => `<listen>unix:path=${path}</listen>`).join('\n  ')}
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/> <allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/> <allow receive_sender="*" eavesdrop="true"/>
  </policy>
</busconfig>
`;

/** Where systemd was started, its folders are there, and seats once logind runs. */
const prepare = `set -e
mount -t tmpfs tmpfs /run
for name in seats users sessions inhibit shutdown system; do mkdir -p "/run/systemd/$name"; done
mkdir -p /run/dbus
mount --bind "$1/etc" /etc/systemd
exec dbus-daemon "--config-file=$1/bus.conf" --nofork --nopidfile`;

export async function privateLogind(onStart: (unit: string) => void): Promise<PrivateLogind> {
  const directory = await mkdtemp(join(tmpdir(), 'kedge-logind-'));
  const socket = join(directory, 'bus.sock');
  await mkdir(join(directory, 'etc'));
  await writeFile(join(directory, 'bus.conf'), busConfig(['/run/dbus/system_bus_socket', socket]));
  /** The bus and logind. */
  const children: ChildProcess[] = [];
  const launch = (command: string, args: readonly string[]): ChildProcess => {
    const child = spawn(command, args, { stdio: 'ignore', cwd: '/' });
    children.push(child);
    return child;
  };
  const end = async (child: ChildProcess): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  };
  let systemd: StandInSystemd | undefined;
  const remove = async (): Promise<void> => {
    systemd?.close();
    for (const child of children.reverse()) await end(child);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const bus = launch('unshare', ['--mount', 'sh', '-c', prepare, 'sh', directory]);
    const enter = ['nsenter', `--mount=/proc/${bus.pid}/ns/mnt`];
    await eventually('the bus to be there', async () => existsSync(socket), 10_000);
    systemd = await standInForSystemd(socket, { onStart, reload: () => void children[1]?.kill('SIGHUP') });
    const [program, ...inside] = enter as [string, ...string[]];
    const rights = ['setpriv', '--bounding-set=-sys_boot', '--inh-caps=-sys_boot'];
    launch(program, [...inside, ...rights, logindProgram!]);
    const target = ['org.freedesktop.login1', '/org/freedesktop/login1', 'org.freedesktop.login1.Manager'];
    const ask = (...args: string[]): Promise<string> => must(program, [...inside, 'busctl', '--system', ...args]);
    const longestDelay = async (): Promise<number> =>
      Number((await ask('get-property', ...target, 'InhibitDelayMaxUSec')).slice(2)) / 1e6;
    await eventually('logind to answer', longestDelay, 10_000);
    return {
      enter,
      systemd,
      longestDelay,
      inhibitors: () => must(program, [...inside, 'systemd-inhibit', '--list', '--no-pager']),
      async powerOff() {
        await ask('call', ...target, 'PowerOff', 'b', 'false');
      },
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
