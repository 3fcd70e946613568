// What edged remembers of a pod between two looks at it and neither the runtime nor the API can tell. All of it may be
// lost: it is found out again.
import type { Duration, Instant } from '@kedge/core/time';
import type { Pod, PodStatus } from '@kedge/model/k8s-types';
import type { Allocation } from './plan-resize.ts';
import type { Waiting } from './pod-action.ts';

export interface PodFailure {
  readonly reason: string;
  readonly message: string;
  /** Set when the node ended a pod that ran well: how long its containers get. */
  readonly disrupted?: { readonly grace: Duration };
}

export interface PodMemory {
  /** The newest version known; kept after the pod was removed, for cleaning up. */
  pod: Pod | undefined;
  /** Why containers could not be started, by name. */
  readonly problems: Map<string, Waiting>;
  /** What containers left as their last words, by container id. */
  readonly lastWords: Map<string, string>;
  /** Looks in a row at which something could not be done. */
  failures: number;
  /**
   * By name, containers that the runtime would not start: when they may be tried again. A try leaves traces in the runtime,
   * and those lead to the next look: without this the two would chase each other.
   */
  readonly holds: Map<string, Instant>;
  /** The pod as a whole has failed. */
  failure: PodFailure | undefined;
  /** Taken in spite of everything that may keep a pod from a node. */
  isAccepted: boolean;
  /** The resources that its containers have; undefined until they were looked at. */
  allocated: Allocation | undefined;
  /** They are others than those the pod began with. */
  wasResized: boolean;
  /** Running containers, by id, that do not have them yet. */
  readonly resizing: Map<string, 'update' | 'restart'>;
  resize: 'InProgress' | 'Deferred' | 'Infeasible' | undefined;
  /** Nothing of it runs any more or will again. */
  isOver: boolean;
  status: PodStatus | undefined;
  /** When volumes have to be refreshed though nothing changed. */
  renewAt: Instant | undefined;
  /** Its end has been reported and its removal asked for. */
  removalAsked: boolean;
}

export const createPodMemory = (): PodMemory => ({
  pod: undefined,
  problems: new Map(),
  lastWords: new Map(),
  failures: 0,
  holds: new Map(),
  failure: undefined,
  isAccepted: false,
  allocated: undefined,
  wasResized: false,
  resizing: new Map(),
  resize: undefined,
  isOver: false,
  status: undefined,
  renewAt: undefined,
  removalAsked: false,
});

export const earlier = (a: Instant | undefined, b: Instant | undefined): Instant | undefined =>
  a === undefined || (b !== undefined && b < a) ? b : a;
