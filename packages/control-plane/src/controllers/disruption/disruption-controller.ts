// Keeps the status of disruption budgets: how many pods there should be, are well, and may be evicted.
import { again, done, type Next } from '@kedge/core/control';
import type { Module } from '@kedge/core/module';
import { collections } from '@kedge/engine/kube-client';
import { objectKey } from '@kedge/model/k8s';
import { formatLabelSelector, type LabelSelector, labelSelectorOf, matchesLabels } from '@kedge/model/k8s-selectors';
import type { Pod, PodDisruptionBudget } from '@kedge/model/k8s-types';
import { controllerKey } from '../ownership/controller-ref.ts';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { createScaleTargets } from '../runtime/scale-targets.ts';
import { writeStatus } from '../runtime/status-patch.ts';
import { budgetStatus, nextExpiry } from './budget-status.ts';
import { podScale, type PodScale } from './pod-scale.ts';
import { createStaleDisruptions } from './stale-disruptions.ts';

const { deployments, podDisruptionBudgets, replicaSets, replicationControllers, statefulSets } = collections;
const alwaysCounted = ['currentHealthy', 'desiredHealthy', 'expectedPods', 'disruptionsAllowed'];

export function createDisruptionController(deps: ControllerDeps): Module {
  const budgets = createBudgets(deps);
  const stale = createStaleDisruptions(deps);
  return {
    name: 'disruption',
    async start(scope) {
      await Promise.all([budgets.start(scope), stale.start(scope)]);
    },
  };
}

function createBudgets(deps: ControllerDeps): Module {
  const { api, cluster, clock } = deps;
  const events = deps.events('controllermanager');
  const budgets = cluster.of(podDisruptionBudgets);
  const budgetsByNamespace = cluster.byNamespace(podDisruptionBudgets);
  const targets = createScaleTargets({ api, clock });
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
    const pods = [...cluster.podsByNamespace.get(budget.metadata.namespace ?? '')].filter(({ metadata }) =>
      matchesLabels(selector, metadata.labels),
    );
    if (pods.length === 0) events.normal(budget, 'NoPods', 'No matching pods found');
    const scale = await scaleFor(budget, pods, signal);
    const status = budgetStatus({ budget, pods, scale, now: clock.now() });
    await writeStatus(api, podDisruptionBudgets, budget, status, { keepZeros: alwaysCounted, signal });
    const expiry = nextExpiry(status, clock.now());
    return expiry === undefined ? done : again(expiry, 'evictions are under way');
  }

  /** Only shares and absences need to know how many pods there should be. */
  async function scaleFor(budget: PodDisruptionBudget, pods: readonly Pod[], signal: AbortSignal): Promise<PodScale> {
    const { minAvailable, maxUnavailable } = budget.spec ?? {};
    if (maxUnavailable === undefined && typeof minAvailable !== 'string')
      return { ok: true, replicas: 0, unmanaged: [] };
    const scale = await podScale({ api, targets, known }, pods, signal);
    if (!scale.ok) {
      const message = `Failed to calculate the number of expected pods: ${scale.why}`;
      events.warning(budget, 'CalculateExpectedPodCountFailed', message);
    } else if (scale.unmanaged.length > 0) {
      events.warning(
        budget,
        'UnmanagedPods',
        `Pods selected by this PodDisruptionBudget (selector: ${formatLabelSelector(selectorOf(budget))}) were found to be unmanaged. ` +
          'As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. ' +
          'To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.',
      );
    }
    return scale;
  }

  /** What the pod's controller wants, or its Deployment. */
  function known(pod: Pod): { uid: string; replicas: number } | undefined {
    const set = scalable.replicaSets.get(controllerKey(pod, replicaSets) ?? '');
    const deployment = set && scalable.deployments.get(controllerKey(set, deployments) ?? '');
    const owner =
      deployment ??
      set ??
      scalable.statefulSets.get(controllerKey(pod, statefulSets) ?? '') ??
      scalable.replicationControllers.get(controllerKey(pod, replicationControllers) ?? '');
    return owner && { uid: owner.metadata.uid ?? '', replicas: owner.spec?.replicas ?? 1 };
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
