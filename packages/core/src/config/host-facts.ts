// What a machine says of itself. Read by the platform, handed to pure functions such as the configuration's defaults.

export interface HostFacts {
  readonly hostname: string;
  /** Addresses others can reach it at, best first. */
  readonly addresses: readonly string[];
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly machineId: string;
  readonly systemUuid: string;
  readonly bootId: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly operatingSystem: string;
  /** In Go's words: `amd64`, `arm64`. */
  readonly architecture: string;
}
