// A container in the words of the container runtime.
import type { Container, Pod } from '@kedge/model/k8s-types';
import { type ContainerConfig, type Mount } from '@kedge/wire/cri';
import { expand } from '../env/expand.ts';
import type { Grants } from '../grants/grants.ts';
import type { RestartBackoff } from '../pod/restart-backoff.ts';
import { containerAnnotations, containerLabels } from './labels.ts';
import type { PodPaths } from './pod-paths.ts';
import { linuxResources } from './resources.ts';
import { containerSecurity } from './security-context.ts';
import type { IdMapping } from './user-namespaces.ts';

export interface ContainerParts {
  readonly pod: Pod;
  readonly container: Container;
  readonly restartCount: number;
  readonly backoff: RestartBackoff | undefined;
  /** What the runtime calls the image that was found or pulled. */
  readonly imageRef: string;
  readonly environment: ReadonlyMap<string, string>;
  readonly mounts: readonly Mount[];
  /** The container whose processes it is to see; its own when absent. */
  readonly targetId?: string | undefined;
  readonly users?: IdMapping | undefined;
  /** Devices and processors. */
  readonly grants: Grants;
}

export interface ContainerSettings {
  readonly site: string;
  readonly memoryCapacity: number;
  readonly seccompDefault: boolean;
  readonly paths: PodPaths;
}

export function containerConfig(parts: ContainerParts, settings: ContainerSettings): ContainerConfig {
  const { pod, container, restartCount, environment, grants } = parts;
  const expanded = (texts: readonly string[] | undefined): string[] =>
    (texts ?? []).map((text) => expand(text, environment));
  return {
    metadata: { name: container.name, attempt: restartCount },
    image: { image: parts.imageRef, userSpecifiedImage: container.image },
    command: expanded(container.command),
    args: expanded(container.args),
    workingDir: container.workingDir,
    envs: [...new Map([...grants.envs, ...environment])].map(([key, value]) => ({ key, value })),
    mounts: [...parts.mounts, ...grants.mounts],
    devices: [...grants.devices],
    CDIDevices: grants.cdiDevices.map((cdi) => ({ name: cdi })),
    labels: containerLabels(pod, container, settings.site),
    annotations: { ...grants.annotations, ...containerAnnotations(pod, container, parts) },
    logPath: settings.paths.logFile(container.name, restartCount),
    stdin: container.stdin,
    stdinOnce: container.stdinOnce,
    tty: container.tty,
    linux: {
      resources: {
        ...linuxResources(container, { pod, memoryCapacity: settings.memoryCapacity }),
        ...(grants.cpus === undefined ? {} : { cpusetCpus: grants.cpus }),
      },
      securityContext: containerSecurity(pod, container, {
        seccompRoot: settings.paths.seccompProfiles,
        seccompDefault: settings.seccompDefault,
        targetId: parts.targetId,
        users: parts.users,
      }),
    },
  };
}
