// What this machine is: read once at start and handed to whoever needs it (configuration defaults, node status).
import { readFileSync } from 'node:fs';
import { arch, cpus, hostname, networkInterfaces, release, totalmem } from 'node:os';
import type { HostFacts } from '@kedge/core/ports';

/** Node's names of processors, as Go (and so Kubernetes) calls them. */
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', arm: 'arm', ia32: '386' };

export function readHostFacts(): HostFacts {
  return {
    hostname: hostname(),
    addresses: addresses(),
    cpus: cpus().length,
    memoryBytes: totalmem(),
    machineId: firstText('/etc/machine-id', '/var/lib/dbus/machine-id'),
    systemUuid: firstText('/sys/class/dmi/id/product_uuid', '/etc/machine-id'),
    bootId: firstText('/proc/sys/kernel/random/boot_id'),
    kernelVersion: release(),
    osImage: osImage(),
    architecture: architectures[arch()] ?? arch(),
  };
}

/** Outside addresses: those of the interface with the default route first, IPv4 before IPv6. */
function addresses(): string[] {
  const outward = defaultRouteInterface();
  const found = Object.entries(networkInterfaces())
    .flatMap(([name, list]) => (list ?? []).map((one) => ({ ...one, rank: name === outward ? 0 : 1 })))
    .filter(({ internal, address }) => !internal && !/^(?:169\.254\.|fe80:)/i.test(address));
  const rank = (one: { rank: number; family: string }) => one.rank * 2 + (one.family === 'IPv4' ? 0 : 1);
  return found.sort((a, b) => rank(a) - rank(b)).map(({ address }) => address);
}

function defaultRouteInterface(): string | undefined {
  for (const line of firstText('/proc/net/route').split('\n').slice(1)) {
    const [name, destination] = line.split(/\s+/);
    if (destination === '00000000') return name;
  }
  return undefined;
}

function osImage(): string {
  const text = firstText('/etc/os-release', '/usr/lib/os-release');
  const [, quoted, plain] = /^PRETTY_NAME=(?:"([^"]*)"|(.*))$/m.exec(text) ?? [];
  return quoted ?? plain ?? 'Linux';
}

/** The content of the first file there is; '' when there is none. */
function firstText(...paths: readonly string[]): string {
  for (const path of paths) {
    try {
      const text = readFileSync(path, 'utf8').trim();
      if (text) return text;
    } catch {
      // Not every machine has every file, and some are only for root.
    }
  }
  return '';
}
