// What planning is given and what it may ask for: the vocabulary between plan-pod.ts and whoever carries a plan out.
import type { Duration, Instant } from '@kedge/core/time';
import type { Pod } from '@kedge/model/k8s-types';
import type { SeenContainer, SeenPod } from '../runtime/seen.ts';
import type { RestartBackoff } from './restart-backoff.ts';

export type PodAction =
  /** Asks it to end and kills it when the grace is over; other actions go on meanwhile. */
  | {
      readonly do: 'stop-container';
      readonly id: string;
      readonly name: string;
      readonly grace: Duration;
      readonly why: string;
    }
  | { readonly do: 'remove-container'; readonly id: string; readonly name: string }
  | { readonly do: 'stop-sandbox'; readonly id: string }
  | { readonly do: 'remove-sandbox'; readonly id: string }
  | { readonly do: 'make-sandbox'; readonly attempt: number }
  | {
      readonly do: 'start-container';
      readonly name: string;
      readonly restartCount: number;
      /** The back-off that holds after this start; undefined for a first start. */
      readonly backoff: RestartBackoff | undefined;
    };

export interface Waiting {
  readonly reason: string;
  readonly message: string;
}

export interface PodPlan {
  readonly actions: readonly PodAction[];
  /** Why a container is held back, by its name. */
  readonly waiting: ReadonlyMap<string, Waiting>;
  /** When time alone changes the plan. */
  readonly lookAgainAt: Instant | undefined;
  /** Nothing runs any more and nothing is to be started: the pod is over. */
  readonly isOver: boolean;
}

export interface PlanInput {
  readonly pod: Pod;
  readonly seen: SeenPod;
  readonly now: Instant;
  /** Ids of running containers that have not passed their startup probe yet. */
  readonly starting: ReadonlySet<string>;
  /** Ids of running containers that failed a probe and are to be replaced. */
  readonly unhealthy: ReadonlyMap<string, { readonly why: string; readonly grace: Duration | undefined }>;
  /** The pod has to end whatever its containers do: it was refused, or its deadline has passed. */
  readonly mustEnd: boolean;
  /** How long containers get when the pod has to end; undefined: as long as the pod says. */
  readonly endGrace?: Duration | undefined;
}

export const stopContainer = ({ id, name }: SeenContainer, grace: Duration, why: string): PodAction => ({
  do: 'stop-container',
  id,
  name,
  grace,
  why,
});
