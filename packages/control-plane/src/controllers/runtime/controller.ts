// What every controller is made of: keys put into a queue by local copies, and one reconcile function for a key.
import { createReconciler, type Informer, type Next, type Reconciler } from '@kedge/core/control';
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { Random } from '@kedge/core/ports';
import type { Clock } from '@kedge/core/time';
import type { EventRecorder } from '@kedge/engine/event-recorder';
import type { KubeApi } from '@kedge/engine/kube-client';
import type { ClusterView } from './cluster-view.ts';

export interface ControllerDeps {
  readonly api: KubeApi;
  readonly cluster: ClusterView;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  /** The recorder that speaks as `component`. */
  readonly events: (component: string) => EventRecorder;
}

export interface ControllerParts {
  readonly name: string;
  /** Copies that have to be complete before the first key is looked at. */
  readonly reads: readonly Pick<Informer<never>, 'synced'>[];
  /** Starts listening to copies; returns how to stop each. */
  readonly watch: (queue: Pick<Reconciler, 'enqueue' | 'enqueueAfter'>) => readonly (() => void)[];
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<Next>;
  readonly parallel?: number;
}

/** A controller as a module: ready once its copies are complete. */
export function createController(
  { clock, log }: Pick<ControllerDeps, 'clock' | 'log'>,
  parts: ControllerParts,
): Module {
  const { name, reads, watch, reconcile, parallel = 4 } = parts;
  return {
    name,
    async start(scope) {
      const queue = createReconciler({ name, clock, log, reconcile, parallel });
      for (const stop of watch(queue)) scope.defer(`${name} listener`, stop);
      for (const copy of reads) await copy.synced(scope.signal);
      queue.start(scope);
    },
  };
}
