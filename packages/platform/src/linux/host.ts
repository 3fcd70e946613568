// Facts about the machine out of /proc, /etc and the kernel's interface list.
import { constants } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import { arch, availableParallelism, hostname, networkInterfaces, release, totalmem } from 'node:os';
import type { Host, HostCpuTime, HostFacts, MemoryVictims } from '@kedge/core/ports';

const architectures: Partial<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

const readLine = async (path: string): Promise<string> => (await readFile(path, 'utf8').catch(() => '')).trim();

export function createHost(): Host {
  return {
    async facts(): Promise<HostFacts> {
      const machineId = (await readLine('/etc/machine-id')) || (await readLine('/var/lib/dbus/machine-id'));
      return {
        hostname: hostname(),
        machineId,
        systemUuid: (await readLine('/sys/class/dmi/id/product_uuid')).toLowerCase() || machineId,
        bootId: await readLine('/proc/sys/kernel/random/boot_id'),
        kernelVersion: release(),
        osImage: parseOsRelease(await readLine('/etc/os-release')),
        architecture: architectures[arch()] ?? arch(),
        cpus: availableParallelism(),
        memoryBytes: totalmem(),
        hugePages: await readHugePages(),
        addresses: hostAddresses(defaultInterface(await readLine('/proc/net/route'))),
      };
    },
    async load() {
      const [memory, average, maxProcesses] = await Promise.all([
        readLine('/proc/meminfo'),
        readLine('/proc/loadavg'),
        readLine('/proc/sys/kernel/pid_max'),
      ]);
      return {
        availableMemoryBytes: Number(/^MemAvailable:\s+(\d+)/m.exec(memory)?.[1] ?? 0) * 1_024,
        processes: Number(/\/(\d+) /.exec(average)?.[1] ?? 0),
        maxProcesses: Number(maxProcesses) || 32_768,
      };
    },
    cpuTime: async () => parseCpuTime(await readLine('/proc/stat')),
    processors: readProcessors,
    memoryVictims: createVictimsReader(),
    hasAppArmor: async () => (await readLine('/sys/module/apparmor/parameters/enabled')) === 'Y',
    isReadOnly: async (path) => isReadOnly(await readLine('/proc/self/mountinfo'), path),
  };
}

/** The kernel counts its victims of every kind; only when there are more is its log read for who they are. */
function createVictimsReader(): Host['memoryVictims'] {
  let counted: number | undefined;
  return async (place) => {
    const count = Number(/^oom_kill (\d+)$/m.exec(await readLine('/proc/vmstat'))?.[1] ?? 0);
    if (place !== undefined && count === counted) return { place, victims: [] };
    counted = count;
    return parseVictims(await readKernelLog(), place ?? Infinity);
  };
}

/** Records as /dev/kmsg gives them, one a line: `priority,sequence,time,flags;text`. */
export function parseVictims(log: string, place: number): MemoryVictims {
  let last = -1;
  const victims: { process: string; pid: number }[] = [];
  for (const line of log.split('\n')) {
    const sequence = Number(/^\d+,(\d+),/.exec(line)?.[1] ?? NaN);
    if (Number.isNaN(sequence)) continue;
    last = Math.max(last, sequence);
    const killed = /oom-kill:constraint=CONSTRAINT_NONE,.*task=([^,]+),pid=(\d+)/.exec(line);
    if (killed && sequence > place) victims.push({ process: killed[1] ?? '', pid: Number(killed[2]) });
  }
  if (last < 0) return { place: Number.isFinite(place) ? place : 0, victims };
  return { place: last, victims };
}

const longestRecord = 8_192;
const mostRecords = 20_000;

/** Each read gives one record; the end of the log is an error that says "try again". */
async function readKernelLog(): Promise<string> {
  const file = await open('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined);
  if (!file) return '';
  const lines: string[] = [];
  let last = '';
  try {
    const buffer = Buffer.alloc(longestRecord);
    for (let n = 0; n < mostRecords; n++) {
      const { bytesRead } = await file.read(buffer, 0, longestRecord);
      const line = buffer.toString('utf8', 0, bytesRead).split('\n', 1)[0] ?? '';
      // Most of what a kernel says is not of interest; the last record tells how far its log goes.
      if (line.includes('oom-kill:')) lines.push(line);
      last = line;
    }
  } catch {
    // The end.
  } finally {
    await file.close();
  }
  return [...lines, last].join('\n');
}

/** By the mount that the path is below: `id parent device root point options ... - type source options`. */
export function isReadOnly(mountInfo: string, path: string): boolean {
  let best = '';
  let options = '';
  for (const line of mountInfo.split('\n')) {
    const [mount = '', superblock = ''] = line.split(' - ');
    const [, , , , point = '', own = ''] = mount.split(' ');
    const holds = point === '/' || path === point || path.startsWith(`${point}/`);
    // Later mounts lie on top of earlier ones.
    if (!holds || point.length < best.length) continue;
    best = point;
    options = `${own},${superblock.split(' ')[2] ?? ''}`;
  }
  return options.split(',').includes('ro');
}

/** Where the kernel does not say, every processor is a core of the one socket. */
async function readProcessors(): Promise<{ cpu: number; core: number; socket: number }[]> {
  const root = '/sys/devices/system/cpu';
  const numbers = (await readdir(root).catch(() => []))
    .flatMap((name) => /^cpu(\d+)$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
  const found = await Promise.all(
    numbers.map(async (cpu) => {
      const isOff = (await readLine(`${root}/cpu${cpu}/online`)) === '0';
      const core = await readLine(`${root}/cpu${cpu}/topology/core_id`);
      const socket = await readLine(`${root}/cpu${cpu}/topology/physical_package_id`);
      return isOff ? [] : [{ cpu, core: Number(core || cpu), socket: Math.max(0, Number(socket || 0)) }];
    }),
  );
  return found.flat();
}

/** One directory a size, `hugepages-2048kB`. */
async function readHugePages(): Promise<ReadonlyMap<number, number>> {
  const root = '/sys/kernel/mm/hugepages';
  const found = new Map<number, number>();
  for (const name of await readdir(root).catch(() => [])) {
    const kibibytes = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0);
    if (kibibytes > 0) found.set(kibibytes * 1_024, Number(await readLine(`${root}/${name}/nr_hugepages`)) || 0);
  }
  return found;
}

/** /proc/stat counts in hundredths of a second: user, nice, system, idle, iowait, irq, softirq, steal. */
export function parseCpuTime(text: string): HostCpuTime {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (/^cpu +(.*)$/m.exec(text)?.[1] ?? '')
    .split(' ')
    .map(Number);
  return {
    busySeconds: (user + nice + system + irq + softirq + steal) / 100,
    bootedAt: Number(/^btime (\d+)$/m.exec(text)?.[1] ?? 0) * 1_000,
  };
}

/** `PRETTY_NAME`, with or without quotes. */
export function parseOsRelease(text: string): string {
  const value = /^PRETTY_NAME=(.*)$/m.exec(text)?.[1] ?? 'Linux';
  return value.replace(/^"(.*)"$/, '$1');
}

/** The interface of the IPv4 default route with the smallest metric; /proc/net/route is in hexadecimal columns. */
export function defaultInterface(routes: string): string | undefined {
  const defaults = routes
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, destination, , , , , , mask]) => destination === '00000000' && mask === '00000000')
    .sort((a, b) => Number(a[6]) - Number(b[6]));
  return defaults[0]?.[0];
}

function hostAddresses(preferred: string | undefined): string[] {
  const all = Object.entries(networkInterfaces()).flatMap(([name, addresses]) =>
    (addresses ?? [])
      .filter(({ internal, address }) => !internal && !address.startsWith('fe80:') && !address.startsWith('169.254.'))
      .map(({ address, family }) => ({ name, address, family })),
  );
  const rank = ({ name, family }: { name: string; family: string }): number =>
    (name === preferred ? 0 : 2) + (family === 'IPv4' ? 0 : 1);
  return all.sort((a, b) => rank(a) - rank(b)).map(({ address }) => address);
}
