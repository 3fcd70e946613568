// Facts about the machine out of /proc, /etc and the kernel's interface list.
import { readdir, readFile } from 'node:fs/promises';
import { arch, availableParallelism, hostname, networkInterfaces, release, totalmem } from 'node:os';
import type { Host, HostCpuTime, HostFacts } from '@kedge/core/ports';

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
  };
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
