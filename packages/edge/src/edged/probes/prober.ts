// Probes containers and knows which have started, are ready, or have to be replaced.
import type { Pod } from '@kedge/model/k8s-types';
import type { PlanInput } from '../pod/pod-action.ts';
import { isRunning, type SeenPod } from '../runtime/seen.ts';

export interface Prober {
  /** Starts probes of containers that run and ends those of others. */
  follow(pod: Pod, seen: SeenPod): void;
  results(pod: Pod, seen: SeenPod): { started: ReadonlySet<string>; ready: ReadonlySet<string> };
  verdicts(pod: Pod, seen: SeenPod): Pick<PlanInput, 'starting' | 'unhealthy'>;
  forget(uid: string): void;
}

export function createProber(): Prober {
  return {
    follow: () => undefined,
    results: (_pod, seen) => {
      const ids = new Set(seen.containers.filter(isRunning).map(({ id }) => id));
      return { started: ids, ready: ids };
    },
    verdicts: () => ({ starting: new Set(), unhealthy: new Map() }),
    forget: () => undefined,
  };
}
