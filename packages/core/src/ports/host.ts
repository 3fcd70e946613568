// The machine itself, as the edge needs it: what it is, how full it is, mounts and cgroups. Implemented by the platform
// package on Linux.
import type { Duration } from '../time/index.ts';

export interface HostFacts {
  readonly hostname: string;
  readonly machineId: string;
  readonly systemUuid: string;
  /** Changes with every boot. */
  readonly bootId: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  /** As Kubernetes spells it: `amd64`, `arm64`. */
  readonly architecture: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  /** By page size in bytes, the huge pages that the kernel was told to keep. */
  readonly hugePages: ReadonlyMap<number, number>;
  /** Host addresses, the one of the default route first; no loopback, no link-local. */
  readonly addresses: readonly string[];
}

export interface HostLoad {
  readonly availableMemoryBytes: number;
  readonly processes: number;
  readonly maxProcesses: number;
}

/** Processor time of the whole machine since it booted. */
export interface HostCpuTime {
  /** Seconds of all processors together in which they were not idle. */
  readonly busySeconds: number;
  /** Unix milliseconds. */
  readonly bootedAt: number;
}

/** Processes that the kernel killed because the machine had no memory left. */
export interface MemoryVictims {
  /** Where to go on reading; it says nothing else. */
  readonly place: number;
  readonly victims: readonly { readonly process: string; readonly pid: number }[];
}

export interface Host {
  facts(): Promise<HostFacts>;
  load(): Promise<HostLoad>;
  cpuTime(): Promise<HostCpuTime>;
  /** Since `place`; not those that were killed for their cgroup's sake. Cheap as long as there are none. */
  memoryVictims(place: number | undefined): Promise<MemoryVictims>;
  /** Whether the file system that a path is on takes no writes. */
  isReadOnly(path: string): Promise<boolean>;
  /** Whether the kernel confines programs by AppArmor profiles. */
  hasAppArmor(): Promise<boolean>;
  /** Those that are on, with the core and the socket each belongs to; in the order of their numbers. */
  processors(): Promise<readonly { readonly cpu: number; readonly core: number; readonly socket: number }[]>;
}

/** Word that the machine is about to go down, and a hold on it meanwhile. */
export interface HostShutdowns {
  /**
   * Holds every shutdown of the machine back, for `wish` at most, until one begins. `held` is called once that stands, with
   * the time that the machine grants; undefined: as long as it takes. Rejects with SHUTDOWN_UNHEARD when a shutdown would
   * not be heard, or while one is under way.
   */
  next(wish: Duration, held: (granted: Duration | undefined) => void, signal: AbortSignal): Promise<HostShutdown>;
}

export interface HostShutdown {
  /** How it was heard of, for the log. */
  readonly from: string;
  /** The machine may go down now. */
  letGo(): Promise<void>;
}

export interface Mounts {
  /** A file system in memory; silent when one is mounted there already. */
  mountMemory(path: string, options: { readonly sizeBytes?: number }): Promise<void>;
  /** A file system of huge pages of one size; silent when one is mounted there already. */
  mountHugePages(path: string, options: { readonly pageBytes: number }): Promise<void>;
  /**
   * Shows at `target` what is at `path` below the directory `root`; directories that are missing are made, as open as `root` is. No link in `path` is
   * followed, whoever puts one there meanwhile: that is refused. What was mounted at `target` before goes.
   */
  bindBelow(root: string, path: readonly string[], target: string): Promise<void>;
  /** Silent when nothing is mounted there. */
  unmount(path: string): Promise<void>;
  /** Mount points at or below a path, deepest first. */
  below(path: string): Promise<readonly string[]>;
}

/** What is not named is left as it is. */
export interface CgroupLimits {
  /** As cgroups of version 1 count: 1,024 a processor. */
  readonly cpuShares?: number;
  /** Microseconds in each tenth of a second; negative: no limit. */
  readonly cpuQuota?: number;
  /** Negative: no limit. */
  readonly memoryBytes?: number;
  readonly processes?: number;
  /** Bytes by page size as the kernel writes it, `2MB`. */
  readonly hugePages?: ReadonlyMap<string, number>;
}

/** By path below the root of the hierarchy, or by the name of a systemd slice. */
export interface Cgroups {
  /** Makes the cgroup if need be. Throws CGROUP_REFUSED. */
  set(path: string, limits: CgroupLimits): Promise<void>;
  /** Removes an empty cgroup in every hierarchy; false when something still runs in it. */
  remove(path: string): Promise<boolean>;
}

/** Asks a container whether it is well. */
export interface ProbeNetwork {
  /** Resolves once a TCP connection stands, and closes it. */
  connect(target: { readonly host: string; readonly port: number }, signal: AbortSignal): Promise<void>;
  /**
   * The status of a GET, and where it points to instead; certificates are not verified, no pointer is followed. Answers over
   * 10 kB are cut.
   */
  get(
    request: {
      readonly scheme: 'http' | 'https';
      readonly host: string;
      readonly port: number;
      readonly path: string;
      readonly headers: readonly (readonly [string, string])[];
    },
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly body: string; readonly location: string | undefined }>;
  /**
   * One `grpc.health.v1.Health/Check` over plain HTTP/2; resolves to the serving status (1: serving). Source: the gRPC
   * health checking protocol. Rejects with what went wrong when there is no such answer.
   */
  grpcHealth(
    target: { readonly host: string; readonly port: number; readonly service: string },
    signal: AbortSignal,
  ): Promise<number>;
}
