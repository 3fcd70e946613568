// Gathers what the node's status is made of: the machine, how full it is, and how the container runtime is.
import { explain } from '@kedge/core/errors';
import type { Files, Host, HostFacts } from '@kedge/core/ports';
import { seconds } from '@kedge/core/time';
import type { ContainerImage } from '@kedge/model/k8s-types';
import type { Cri } from '@kedge/wire/cri';
import type { Pressure } from '../eviction/thresholds.ts';

export interface NodeFacts {
  readonly host: HostFacts;
  readonly disk: {
    readonly totalBytes: number;
    readonly freeBytes: number;
    readonly totalInodes: number;
    readonly freeInodes: number;
  };
  /** `containerd://1.6.20`. */
  readonly runtimeVersion: string;
  readonly images: readonly ContainerImage[];
  readonly pressures: ReadonlySet<Pressure>;
  /** What device plugins offer, by resource. */
  readonly extended: ReadonlyMap<string, { readonly capacity: number; readonly allocatable: number }>;
  /** Why the node is not ready; empty when it is, with its runtime and the runtime's network. */
  readonly problems: readonly string[];
}

export interface NodeFactsReader {
  read(signal: AbortSignal): Promise<NodeFacts>;
}

export function createNodeFactsReader(deps: {
  cri: Cri;
  host: Host;
  files: Files;
  rootDirectory: string;
  images: (signal: AbortSignal) => Promise<readonly ContainerImage[]>;
  pressures: () => ReadonlySet<Pressure>;
  extended: () => NodeFacts['extended'];
  /** What is wrong beside the runtime. */
  problems: () => readonly string[];
}): NodeFactsReader {
  const { cri, host, files, rootDirectory } = deps;
  let runtimeVersion = '';

  async function readRuntime(signal: AbortSignal): Promise<string[]> {
    const options = { signal, timeout: seconds(5) };
    try {
      if (runtimeVersion === '') {
        const version = await cri.version({ version: 'v1' }, options);
        runtimeVersion = `${version.runtimeName}://${version.runtimeVersion}`;
      }
      const { status } = await cri.status({}, options);
      return (status?.conditions ?? [])
        .filter(({ status: isTrue }) => !isTrue)
        .map(({ type, reason, message }) =>
          type === 'NetworkReady'
            ? `container runtime network not ready: NetworkReady=false reason:${reason} message:${message}`
            : `container runtime not ready: ${type}=false reason:${reason} message:${message}`,
        );
    } catch (error) {
      signal.throwIfAborted();
      // A runtime that comes back may be another version.
      runtimeVersion = '';
      return [`container runtime is down: ${explain(error)}`];
    }
  }

  return {
    async read(signal) {
      const [facts, disk, runtimeProblems, images] = await Promise.all([
        host.facts(),
        files.space(rootDirectory),
        readRuntime(signal),
        deps.images(signal).catch(() => []),
      ]);
      return {
        host: facts,
        disk,
        images,
        pressures: deps.pressures(),
        extended: deps.extended(),
        problems: [...runtimeProblems, ...deps.problems()],
        runtimeVersion: runtimeVersion || 'unknown://unknown',
      };
    },
  };
}
