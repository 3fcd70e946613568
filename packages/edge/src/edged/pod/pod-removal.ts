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
  /** False when something could not be removed yet. Nothing of the pod may run. */
  remove(uid: string, pod: Pod | undefined, seen: SeenPod, signal: AbortSignal): Promise<boolean>;
  removeLogs(uid: string): Promise<void>;
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
      let isClean = true;
      for (const { id } of seen.containers) {
        isClean = (await attempt(() => cri.removeContainer({ containerId: id }, { signal }), uid, signal)) && isClean;
        observer.forget(id);
      }
      for (const { id } of seen.sandboxes) {
        isClean = (await attempt(() => cri.removePodSandbox({ podSandboxId: id }, { signal }), uid, signal)) && isClean;
        observer.forget(id);
      }
      if (!isClean) return false;
      deps.images.forget(uid);
      const isDown = await attempt(() => deps.volumes.tearDown(uid), uid, signal);
      if (pod) await deps.cgroups.remove(podCgroup(pod, deps.config));
      return isDown;
    },
    async removeLogs(uid) {
      // Found by the uid at its end: the name of a pod that was removed long ago is not known any more.
      const { files, paths } = deps;
      for (const name of (await files.list(paths.podLogsDirectory)) ?? []) {
        if (!name.endsWith(`_${uid}`)) continue;
        await attempt(() => files.remove(`${paths.podLogsDirectory}/${name}`), uid, new AbortController().signal);
      }
    },
  };
}
