// Ends pods that take more of the disk than they said: an emptyDir over its size, a container or the pod as a whole over its
// limit of ephemeral storage. Only pods that have such limits are measured, and only as far as they have them.
import { explain } from '@kedge/core/errors';
import type { Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Files } from '@kedge/core/ports';
import { type Clock, seconds } from '@kedge/core/time';
import { quantity, quantityUnits } from '@kedge/model/k8s-quantity';
import { podLimits } from '@kedge/model/k8s-scheduling';
import type { Pod, Volume } from '@kedge/model/k8s-types';
import type { Cri } from '@kedge/wire/cri';
import { allContainersOf, isTerminating, specOf, uidOf } from '../pod/pod-spec.ts';
import { readContainerUsage } from '../runtime/container-usage.ts';
import type { PodPaths } from '../runtime/pod-paths.ts';

export interface StorageUse {
  /** Bytes by volume. */
  readonly volumes: ReadonlyMap<string, number>;
  /** Bytes of the writable layer and the logs, by container. */
  readonly containers: ReadonlyMap<string, number>;
}

const resource = 'ephemeral-storage';
const bytesOf = (text: string): number => Number(quantityUnits(quantity(text)));
const onDisk = ({ emptyDir }: Volume): boolean => emptyDir !== undefined && (emptyDir.medium ?? '') === '';

const limitsContainers = (pod: Pod): boolean =>
  allContainersOf(pod).some(({ resources }) => resources?.limits?.[resource] !== undefined);
const limitsVolumes = (pod: Pod): boolean =>
  (specOf(pod).volumes ?? []).some((volume) => onDisk(volume) && volume.emptyDir?.sizeLimit !== undefined);

/** What it takes too much of, in the words of the kubelet; undefined when it keeps to its limits. Pure. */
export function findExcess(pod: Pod, use: StorageUse): string | undefined {
  for (const { name, emptyDir } of specOf(pod).volumes ?? []) {
    const { sizeLimit } = emptyDir ?? {};
    if (sizeLimit !== undefined && (use.volumes.get(name) ?? 0) > bytesOf(sizeLimit)) {
      return `Usage of EmptyDir volume "${name}" exceeds the limit "${sizeLimit}". `;
    }
  }
  const total = podLimits(pod.spec).get(resource);
  const used = [...use.volumes.values(), ...use.containers.values()].reduce((sum, bytes) => sum + bytes, 0);
  if (total !== undefined && total > 0 && limitsAll(pod) && used > total) {
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${total}. `;
  }
  for (const { name, resources } of allContainersOf(pod)) {
    const limit = resources?.limits?.[resource];
    if (limit !== undefined && (use.containers.get(name) ?? 0) > bytesOf(limit)) {
      return `Container ${name} exceeded its local ephemeral storage limit "${limit}". `;
    }
  }
  return undefined;
}

/** A sum says nothing when one container may take what it likes. */
const limitsAll = (pod: Pod): boolean =>
  specOf(pod).containers.every(({ resources }) => resources?.limits?.[resource] !== undefined);

export interface StorageLimitsDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly files: Pick<Files, 'usedBytes' | 'list'>;
  readonly cri: Cri;
  readonly site: string;
  readonly paths: PodPaths;
  /** Pods that have not ended. */
  readonly pods: () => readonly Pod[];
  readonly evict: (pod: Pod, message: string) => void;
}

const lookEvery = seconds(30);

export function watchStorageLimits(deps: StorageLimitsDeps, scope: Scope): void {
  const { clock, files, paths } = deps;

  async function measure(pod: Pod, layers: ReadonlyMap<string, number>, signal: AbortSignal): Promise<StorageUse> {
    const volumes = new Map<string, number>();
    for (const volume of specOf(pod).volumes ?? []) {
      if (!onDisk(volume)) continue;
      volumes.set(volume.name, await files.usedBytes(paths.volume(uidOf(pod), 'empty-dir', volume.name), signal));
    }
    const containers = new Map<string, number>();
    for (const { name } of limitsContainers(pod) ? allContainersOf(pod) : []) {
      const logs = await files.usedBytes(`${paths.logDirectory(pod)}/${name}`, signal);
      containers.set(name, logs + (layers.get(`${uidOf(pod)}/${name}`) ?? 0));
    }
    return { volumes, containers };
  }

  async function look(signal: AbortSignal): Promise<void> {
    const limited = deps.pods().filter((pod) => !isTerminating(pod) && (limitsVolumes(pod) || limitsContainers(pod)));
    if (limited.length === 0) return;
    const usage = limited.some(limitsContainers) ? await readContainerUsage(deps.cri, deps.site, { signal }) : [];
    const layers = new Map(usage.map((one) => [`${one.uid}/${one.container}`, Number(one.writtenBytes ?? 0n)]));
    for (const pod of limited) {
      const excess = findExcess(pod, await measure(pod, layers, signal));
      if (excess !== undefined) deps.evict(pod, excess);
    }
  }

  scope.spawn('storage limits', async (signal) => {
    while (!signal.aborted) {
      await clock.sleep('storage limits', lookEvery, signal).catch(() => undefined);
      if (signal.aborted) return;
      await look(signal).catch((error: unknown) => {
        signal.throwIfAborted();
        deps.log.warn('what pods take of the disk could not be looked at', { reason: explain(error) });
      });
    }
  });
}
