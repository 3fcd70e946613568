// Gives running pods other resources when they want them, without a new start where that is allowed. What a pod was given
// is noted in its directory once it differs from what it began with.
import { explain } from '@kedge/core/errors';
import type { Log } from '@kedge/core/log';
import type { Cgroups, Files } from '@kedge/core/ports';
import type { Pod, ResourceRequirements } from '@kedge/model/k8s-types';
import type { Cri } from '@kedge/wire/cri';
import { rpcMessage } from '@kedge/wire/rpc';
import type { EventRecorder } from '../events.ts';
import { podCgroupLimits } from '../runtime/pod-limits.ts';
import type { PodPaths } from '../runtime/pod-paths.ts';
import { type CgroupSettings, linuxResources, podCgroup } from '../runtime/resources.ts';
import { isRunning, latestContainer, type SeenPod } from '../runtime/seen.ts';
import { type Allocation, allocationOf, findResizes, withAllocation } from './plan-resize.ts';
import type { PodMemory } from './pod-memory.ts';
import { allContainersOf, describePod, uidOf } from './pod-spec.ts';

export interface Resizer {
  /** The pod with the resources that it has from here on. */
  settle(pod: Pod, memory: PodMemory, seen: SeenPod, signal: AbortSignal): Promise<Pod>;
}

export interface ResizerDeps {
  readonly cri: Cri;
  readonly log: Log;
  readonly files: Pick<Files, 'readText' | 'writeAtomically'>;
  readonly paths: PodPaths;
  readonly events: EventRecorder;
  readonly cgroups: Pick<Cgroups, 'set'>;
  readonly config: CgroupSettings & { readonly podPidsLimit: number };
  readonly memoryCapacity: () => number;
  /** Whether there is room for the pod as it wants to be: now, when others end, or never. */
  readonly fits: (pod: Pod, signal: AbortSignal) => Promise<'now' | 'later' | 'never'>;
}

export function createResizer(deps: ResizerDeps): Resizer {
  const { cri, files, paths, events, config } = deps;
  const noteOf = (uid: string): string => `${paths.podDirectory(uid)}/resources`;

  /** What was noted, else what the running containers were made with, else what the pod wants: it begins with that. */
  async function recall(pod: Pod, seen: SeenPod): Promise<Allocation> {
    try {
      const noted = JSON.parse((await files.readText(noteOf(uidOf(pod)))) ?? '') as Record<
        string,
        ResourceRequirements
      >;
      return new Map(Object.entries(noted));
    } catch {
      const made = [...allocationOf(pod)].map(([name, wanted]) => {
        const container = latestContainer(seen, name);
        return [name, container?.resources ?? wanted] as const;
      });
      return new Map(made);
    }
  }

  /** More for the pod before more for its containers, less the other way round: a child never has more than its parent. */
  async function apply(pod: Pod, before: Pod, memory: PodMemory, seen: SeenPod, signal: AbortSignal): Promise<void> {
    const path = podCgroup(pod, config);
    const [to, from] = [pod, before].map((one) => podCgroupLimits(one, { maxProcesses: config.podPidsLimit }));
    const grows = { ...from, ...to };
    const larger = (a = -1, b = -1): number => (a < 0 || b < 0 ? -1 : Math.max(a, b));
    await deps.cgroups.set(path, {
      ...grows,
      cpuQuota: larger(from?.cpuQuota, to?.cpuQuota),
      memoryBytes: larger(from?.memoryBytes, to?.memoryBytes),
    });
    for (const container of allContainersOf(pod)) {
      const running = latestContainer(seen, container.name);
      if (!running || !isRunning(running) || memory.resizing.get(running.id) !== 'update') continue;
      const linux = linuxResources(container, { pod, memoryCapacity: deps.memoryCapacity() });
      // No limit is said as such: what is zero is left as it is.
      const quota = linux.cpuQuota === 0n ? { cpuQuota: -1n } : {};
      await cri.updateContainerResources({ containerId: running.id, linux: { ...linux, ...quota } }, { signal });
      memory.resizing.delete(running.id);
    }
    await deps.cgroups.set(path, { cpuQuota: -1, memoryBytes: -1, ...to });
  }

  return {
    async settle(pod, memory, seen, signal) {
      memory.allocated ??= await recall(pod, seen);
      const resizes = findResizes(pod, memory.allocated);
      const before = withAllocation(pod, memory.allocated);
      if (resizes.length === 0 && memory.resizing.size === 0) {
        memory.resize = undefined;
        return pod;
      }
      if (resizes.length > 0) {
        const room = await deps.fits(pod, signal);
        if (room !== 'now') {
          memory.resize = room === 'later' ? 'Deferred' : 'Infeasible';
          return before;
        }
        for (const { name, needsRestart } of resizes) {
          const running = latestContainer(seen, name);
          if (running && isRunning(running)) memory.resizing.set(running.id, needsRestart ? 'restart' : 'update');
        }
        memory.allocated = allocationOf(pod);
        memory.wasResized = true;
        await files.writeAtomically(noteOf(uidOf(pod)), JSON.stringify(Object.fromEntries(memory.allocated)));
      }
      // Those that have ended meanwhile were started with what they are to have.
      for (const id of memory.resizing.keys()) {
        if (!seen.containers.some((container) => container.id === id && isRunning(container)))
          memory.resizing.delete(id);
      }
      memory.resize = 'InProgress';
      try {
        await apply(pod, before, memory, seen, signal);
        if (memory.resizing.size === 0) memory.resize = undefined;
      } catch (error) {
        signal.throwIfAborted();
        events.pod(pod, 'Warning', 'FailedResize', `Resize of the pod failed: ${rpcMessage(error)}`);
        deps.log.warn('a pod could not be resized', { pod: describePod(pod), reason: explain(error) });
      }
      return pod;
    },
  };
}
