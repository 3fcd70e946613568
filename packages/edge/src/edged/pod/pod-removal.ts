// Takes away what a pod leaves on the node once nothing of it runs: sandboxes, containers, volumes, cgroup, logs.
import { explain } from '@kedge/core/errors';
import type { Log } from '@kedge/core/log';
import type { Cgroups, Files } from '@kedge/core/ports';
import { type Duration, seconds } from '@kedge/core/time';
import type { Pod } from '@kedge/model/k8s-types';
import type { Cri } from '@kedge/wire/cri';
import { rpcCodeOf } from '@kedge/wire/rpc';
import type { Images } from '../images/images.ts';
import type { Observer } from '../runtime/observe.ts';
import type { PodPaths } from '../runtime/pod-paths.ts';
import { type CgroupSettings, podCgroup } from '../runtime/resources.ts';
import { isRunning, type SeenPod } from '../runtime/seen.ts';
import type { Volumes } from '../volumes/volumes.ts';
import type { PodPlan } from './pod-action.ts';
import { planEnd, sidecarNames } from './plan-pod.ts';
import { gracePeriodOf } from './pod-spec.ts';

export interface PodRemoval {
  /** How to end a pod of which maybe nothing is known but what the runtime has. */
  plan(pod: Pod | undefined, seen: SeenPod): PodPlan;
  /** Says what could not be removed yet. Nothing of the pod may run. */
  remove(uid: string, pod: Pod | undefined, seen: SeenPod, signal: AbortSignal): Promise<Leftovers>;
  /** False when something is left. */
  removeLogs(uid: string, signal: AbortSignal): Promise<boolean>;
}

export interface Leftovers {
  /** Containers that ended, sandboxes, the cgroup: nobody but this node is concerned with them. */
  readonly dead: boolean;
  /** Volumes: while there are any, the pod has not gone. */
  readonly volumes: boolean;
}

export function createPodRemoval(deps: {
  cri: Cri;
  log: Log;
  files: Files;
  cgroups: Cgroups;
  observer: Observer;
  volumes: Volumes;
  images: Images;
  paths: PodPaths;
  config: CgroupSettings;
}): PodRemoval {
  const { cri, log, observer } = deps;

  async function attempt(what: () => Promise<unknown>, uid: string, signal: AbortSignal): Promise<boolean> {
    try {
      await what();
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (rpcCodeOf(error) === 'NOT_FOUND') return true;
      log.warn('part of a removed pod is left', { uid, reason: explain(error) });
      return false;
    }
  }

  return {
    plan(pod, seen) {
      if (pod) return planEnd(seen, sidecarNames(pod), gracePeriodOf(pod));
      const longest = Math.max(1, ...seen.containers.filter(isRunning).map((one) => one.gracePeriodSeconds));
      return planEnd(seen, new Set(), seconds(longest) as Duration, { why: 'its pod is not known to this node' });
    },
    async remove(uid, pod, seen, signal) {
      let isEmpty = true;
      for (const { id } of seen.containers) {
        isEmpty = (await attempt(() => cri.removeContainer({ containerId: id }, { signal }), uid, signal)) && isEmpty;
        observer.forget(id);
      }
      for (const { id } of seen.sandboxes) {
        isEmpty = (await attempt(() => cri.removePodSandbox({ podSandboxId: id }, { signal }), uid, signal)) && isEmpty;
        observer.forget(id);
      }
      deps.images.forget(uid);
      const isDown = await attempt(() => deps.volumes.tearDown(uid), uid, signal);
      const removeCgroup = async (): Promise<void> => {
        if (!pod || (await deps.cgroups.remove(podCgroup(pod, deps.config)))) return;
        throw new Error('its cgroup is still in use');
      };
      if (isEmpty) isEmpty = await attempt(removeCgroup, uid, signal);
      return { dead: !isEmpty, volumes: !isDown };
    },
    async removeLogs(uid, signal) {
      // Found by the uid at its end: the name of a pod that was removed long ago is not known any more.
      const { files, paths } = deps;
      let isClean = true;
      for (const name of (await files.list(paths.podLogsDirectory)) ?? []) {
        if (!name.endsWith(`_${uid}`)) continue;
        isClean = (await attempt(() => files.remove(`${paths.podLogsDirectory}/${name}`), uid, signal)) && isClean;
      }
      return isClean;
    },
  };
}
