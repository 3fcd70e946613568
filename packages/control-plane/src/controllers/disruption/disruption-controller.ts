// Keeps the status of disruption budgets: how many pods there should be, are well, and may be evicted.
import { again, done, type Next } from '@kedge/core/control';
import type { Module } from '@kedge/core/module';
import { collections } from '@kedge/engine/kube-client';
import { objectKey } from '@kedge/model/k8s';
import { type LabelSelector, labelSelectorOf, matchesLabels } from '@kedge/model/k8s-selectors';
import type { Pod, PodDisruptionBudget } from '@kedge/model/k8s-types';
import { controllerKey, controllerOf } from '../ownership/controller-ref.ts';
import { isTerminal } from '../pods/pod-state.ts';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { writeStatus } from '../runtime/status-patch.ts';
import { type BudgetFacts, budgetStatus, nextExpiry } from './budget-status.ts';

const { deployments, podDisruptionBudgets, replicaSets, replicationControllers, statefulSets } = collections;
const alwaysCounted = ['currentHealthy', 'desiredHealthy', 'expectedPods', 'disruptionsAllowed'];

export function createDisruptionController(deps: ControllerDeps): Module {
  const { api, cluster, clock } = deps;
  const events = deps.events('controllermanager');
  const budgets = cluster.of(podDisruptionBudgets);
  const budgetsByNamespace = cluster.byNamespace(podDisruptionBudgets);
  const scalable = {
    deployments: cluster.of(deployments),
    replicaSets: cluster.of(replicaSets),
    replicationControllers: cluster.of(replicationControllers),
    statefulSets: cluster.of(statefulSets),
  };

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const budget = budgets.get(key);
    if (!budget || budget.metadata.deletionTimestamp !== undefined) return done;
    const selector = selectorOf(budget);
    const pods = [...cluster.podsByNamespace.get(budget.metadata.namespace ?? '')].filter(
      (pod) => !isTerminal(pod) && matchesLabels(selector, pod.metadata.labels),
    );
    if (pods.length === 0) events.normal(budget, 'NoPods', 'No matching pods found');
    const scale = scaleOf(pods);
    const status = budgetStatus({ budget, pods, scale, now: clock.now() });
    await writeStatus(api, podDisruptionBudgets, budget, status, { keepZeros: alwaysCounted, signal });
    const expiry = nextExpiry(status, clock.now());
    return expiry === undefined ? done : again(expiry, 'evictions are under way');
  }

  /** The sum of what the pods' controllers want. */
  function scaleOf(pods: readonly Pod[]): BudgetFacts['scale'] {
    const wanted = new Map<string, number>();
    for (const pod of pods) {
      const owner = controllerOf(pod);
      if (!owner || wanted.has(owner.uid)) continue;
      const replicas = replicasOf(pod, wanted);
      if (replicas === undefined) return { ok: false, why: `found no scale for ${owner.kind} ${owner.name}` };
    }
    return { ok: true, replicas: [...wanted.values()].reduce((sum, one) => sum + one, 0) };
  }

  /** Notes what the pod's controller wants under the controller's uid, or its Deployment's. */
  function replicasOf(pod: Pod, wanted: Map<string, number>): number | undefined {
    const set = scalable.replicaSets.get(controllerKey(pod, replicaSets) ?? '');
    const deployment = set && scalable.deployments.get(controllerKey(set, deployments) ?? '');
    const owner =
      deployment ??
      set ??
      scalable.statefulSets.get(controllerKey(pod, statefulSets) ?? '') ??
      scalable.replicationControllers.get(controllerKey(pod, replicationControllers) ?? '');
    if (!owner) return undefined;
    const replicas = owner.spec?.replicas ?? 1;
    wanted.set(owner.metadata.uid ?? '', replicas);
    return replicas;
  }

  return createController(deps, {
    name: 'disruption',
    reads: [budgets, cluster.pods, ...Object.values(scalable)],
    watch: (queue) => {
      const wake = ({ metadata }: { metadata: Pod['metadata'] }) => {
        for (const budget of budgetsByNamespace.get(metadata.namespace ?? '')) {
          if (matchesLabels(selectorOf(budget), metadata.labels)) queue.enqueue(objectKey(budget));
        }
      };
      /** A controller that wants another number: its labels say nothing about its pods', so all budgets look. */
      const wakeAll = ({ metadata }: { metadata: Pod['metadata'] }) => {
        for (const budget of budgetsByNamespace.get(metadata.namespace ?? '')) queue.enqueue(objectKey(budget));
      };
      const rescaled = {
        onPut(owner: Scaled, before: Scaled | undefined) {
          if (before && before.spec?.replicas !== owner.spec?.replicas) wakeAll(owner);
        },
        onDelete: wakeAll,
      };
      return [
        budgets.listen({ onPut: (budget) => queue.enqueue(objectKey(budget)) }),
        cluster.pods.listen({
          onPut(pod, before) {
            if (before) wake(before);
            wake(pod);
          },
          onDelete: wake,
        }),
        scalable.deployments.listen(rescaled),
        scalable.replicaSets.listen(rescaled),
        scalable.replicationControllers.listen(rescaled),
        scalable.statefulSets.listen(rescaled),
      ];
    },
    reconcile,
  });
}

interface Scaled {
  readonly metadata: Pod['metadata'];
  readonly spec?: { readonly replicas?: number };
}

const selectorOf = ({ spec }: PodDisruptionBudget): LabelSelector => labelSelectorOf(spec?.selector);
