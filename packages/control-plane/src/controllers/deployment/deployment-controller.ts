// Brings the ReplicaSets of a Deployment to what its spec says, one step per pass, and reports how far it has come.
import { again, done, type Next } from '@kedge/core/control';
import { explain } from '@kedge/core/errors';
import type { Module } from '@kedge/core/module';
import { milliseconds, seconds } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { objectKey } from '@kedge/model/k8s';
import { labelSelectorOf, matchesLabels } from '@kedge/model/k8s-selectors';
import type { Deployment, DeploymentStatus, Pod, ReplicaSet } from '@kedge/model/k8s-types';
import { carryOutClaims, planClaims } from '../ownership/claim.ts';
import { controllerKey, controllerOf, controllerRef } from '../ownership/controller-ref.ts';
import { isTerminal } from '../pods/pod-state.ts';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { writeStatus } from '../runtime/status-patch.ts';
import {
  conditionOf,
  countedStatus,
  hasDeadline,
  isComplete,
  progressDue,
  type ProgressReason,
  rolloutStatus,
  withCondition,
} from './deployment-status.ts';
import { newReplicaSet } from './new-set.ts';
import { planCleanup } from './plan-cleanup.ts';
import { planRollback, type Rollback } from './plan-rollback.ts';
import { newSetSize, planRollingUpdate, type Resize } from './plan-rolling-update.ts';
import { isScaling, planScale } from './plan-scale.ts';
import { ReplicaSetWrites } from './replica-set-writes.ts';
import { findNewSet, revisionAnnotation, revisionOf } from './revisions.ts';
import { isRollingUpdate, sizeOf } from './rollout-limits.ts';

/** One look at a Deployment: what it owns, and the status as this pass changes it. */
interface Pass {
  readonly key: string;
  readonly deployment: Deployment;
  readonly newSet: ReplicaSet | undefined;
  readonly oldSets: readonly ReplicaSet[];
  readonly collisionCount: number;
  readonly signal: AbortSignal;
}

export function createDeploymentController(deps: ControllerDeps): Module {
  const { api, cluster, clock } = deps;
  const events = deps.events('deployment-controller');
  const deployments = cluster.of(collections.deployments);
  const deploymentsByNamespace = cluster.byNamespace(collections.deployments);
  const sets = cluster.of(collections.replicaSets);
  const setsByNamespace = cluster.byNamespace(collections.replicaSets);
  const writes = new ReplicaSetWrites(deps, events);

  async function ownSets(deployment: Deployment, signal: AbortSignal): Promise<ReplicaSet[]> {
    const { namespace = '', name = '', uid } = deployment.metadata;
    const plan = planClaims(deployment, selectorOf(deployment), setsByNamespace.get(namespace));
    const isOwnerAlive = async () => {
      const { metadata } = await api.get(collections.deployments, { namespace, name }, { signal });
      return metadata.uid === uid && metadata.deletionTimestamp === undefined;
    };
    const reference = controllerRef(collections.deployments, deployment);
    return carryOutClaims({ api, of: collections.replicaSets, reference, isOwnerAlive, plan }, signal);
  }

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const deployment = deployments.get(key);
    if (!deployment) {
      writes.forget(key);
      return done;
    }
    // The event of our own write wakes this key again.
    if (!writes.areSeen(key)) return again(seconds(1), 'own writes are not in the copy yet');
    if (selectorOf(deployment).length === 0) return refuseToSelectAll(deployment, signal);

    const owned = await ownSets(deployment, signal);
    const newSet = findNewSet(deployment, owned);
    const collisionCount = deployment.status?.collisionCount ?? 0;
    const pass: Pass = {
      key,
      deployment,
      newSet,
      oldSets: owned.filter((set) => set !== newSet),
      collisionCount,
      signal,
    };
    if (deployment.metadata.deletionTimestamp !== undefined)
      return report(pass, countedStatus(deployment, facts(pass)));
    const noted = { ...pass, deployment: withPauseNoted(deployment) };
    const rollback = deployment.spec?.paused ? undefined : planRollback(deployment, owned);
    if (rollback) return goBack(deployment, rollback, signal);
    if (deployment.spec?.paused || isScaling(deployment, owned)) return scaleOnly(noted);
    return isRollingUpdate(deployment) ? rollOn(noted) : recreate(noted);
  }

  const facts = ({ newSet, oldSets, collisionCount }: Pass) => ({ newSet, oldSets, collisionCount, now: clock.now() });

  /** Status is compared with what the server has, not with what this pass has noted so far. */
  async function report({ key, deployment, signal }: Pass, status: DeploymentStatus): Promise<Next> {
    const stored = deployments.get(key) ?? deployment;
    await writeStatus(api, collections.deployments, stored, status, { signal });
    const due = progressDue({ ...deployment, status });
    if (due === undefined || isComplete(deployment, status)) return done;
    return again(milliseconds(Math.max(0, due - clock.now()) + 1_000), 'the rollout may get stuck');
  }

  async function refuseToSelectAll(deployment: Deployment, signal: AbortSignal): Promise<Next> {
    events.warning(
      deployment,
      'SelectingAll',
      'This deployment is selecting all pods. A non-empty selector is required.',
    );
    const status = { ...deployment.status, observedGeneration: deployment.metadata.generation };
    await writeStatus(api, collections.deployments, deployment, status, { signal });
    return done;
  }

  function withProgressing(
    deployment: Deployment,
    status: string,
    reason: ProgressReason,
    message: string,
  ): Deployment {
    const next = { type: 'Progressing', status, reason, message };
    const conditions = withCondition(deployment.status?.conditions ?? [], next, clock.now());
    return { ...deployment, status: { ...deployment.status, conditions } };
  }

  /** Pausing stops the deadline, resuming starts it anew. */
  function withPauseNoted(deployment: Deployment): Deployment {
    const reason = conditionOf(deployment, 'Progressing')?.reason;
    const isPaused = deployment.spec?.paused === true;
    if (!hasDeadline(deployment) || reason === 'ProgressDeadlineExceeded') return deployment;
    if (isPaused && reason !== 'DeploymentPaused') {
      return withProgressing(deployment, 'Unknown', 'DeploymentPaused', 'Deployment is paused');
    }
    if (!isPaused && reason === 'DeploymentPaused') {
      return withProgressing(deployment, 'Unknown', 'DeploymentResumed', 'Deployment is resumed');
    }
    return deployment;
  }

  /** The template is replaced as a whole; our own write wakes us, and the rollout to it begins. */
  async function goBack({ metadata, ...rest }: Deployment, rollback: Rollback, signal: AbortSignal): Promise<Next> {
    const { namespace, name = '', resourceVersion } = metadata;
    const patch = [
      { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion },
      { op: 'replace', path: '/metadata/annotations', value: rollback.annotations },
      ...(rollback.ok ? [{ op: 'replace', path: '/spec/template', value: rollback.template }] : []),
    ];
    await api.patch(collections.deployments, { namespace, name }, 'json', JSON.stringify(patch), { signal });
    if (rollback.ok) events.normal({ metadata, ...rest }, 'DeploymentRollback', rollback.message);
    else events.warning({ metadata, ...rest }, rollback.reason, rollback.message);
    return done;
  }

  async function scaleOnly(start: Pass): Promise<Next> {
    const pass = start.newSet ? await withNewSet(start) : start;
    const { deployment, newSet, oldSets } = pass;
    const resized = await resizeAll(pass, planScale(deployment, newSet, oldSets));
    if (deployment.spec?.paused) await cleanUp(resized);
    return report(resized, countedStatus(resized.deployment, facts(resized)));
  }

  async function rollOn(start: Pass): Promise<Next> {
    const pass = await withNewSet(start);
    const { deployment, newSet, oldSets } = pass;
    const steps = newSet ? planRollingUpdate(deployment, newSet, oldSets) : [];
    const resized = await resizeAll(pass, steps);
    if (steps.length === 0) await cleanUpWhenComplete(resized);
    return report(resized, rolloutStatus(resized.deployment, facts(resized)));
  }

  /** Everything old has to be gone before anything new starts. */
  async function recreate(start: Pass): Promise<Next> {
    const active = start.oldSets.filter((set) => sizeOf(set) > 0);
    if (active.length > 0) {
      const resized = await resizeAll(
        start,
        active.map((set) => ({ set, to: 0 })),
      );
      return report(resized, rolloutStatus(resized.deployment, facts(resized)));
    }
    if (hasOldPods(start)) return report(start, rolloutStatus(start.deployment, facts(start)));
    const pass = await withNewSet(start);
    const desired = pass.deployment.spec?.replicas ?? 1;
    const grow = pass.newSet && sizeOf(pass.newSet) !== desired ? [{ set: pass.newSet, to: desired }] : [];
    const resized = await resizeAll(pass, grow);
    await cleanUpWhenComplete(resized);
    return report(resized, rolloutStatus(resized.deployment, facts(resized)));
  }

  function hasOldPods({ deployment, newSet, oldSets }: Pass): boolean {
    if (oldSets.some(({ status }) => (status?.replicas ?? 0) > 0)) return true;
    const selector = selectorOf(deployment);
    const pods = [...cluster.podsByNamespace.get(deployment.metadata.namespace ?? '')];
    return pods.some((pod) => {
      const owner = controllerOf(pod);
      const isOfSet = owner?.kind === 'ReplicaSet' && owner.uid !== newSet?.metadata.uid;
      return isOfSet && !isTerminal(pod) && matchesLabels(selector, pod.metadata.labels);
    });
  }

  /** Finds or creates the set of the current template and numbers it as the newest revision. */
  async function withNewSet(pass: Pass): Promise<Pass> {
    const { key, deployment, oldSets, signal } = pass;
    const revision = Math.max(0, ...oldSets.map(revisionOf)) + 1;
    const found = pass.newSet && (await writes.refresh(key, deployment, pass.newSet, revision, signal));
    const next = found ? withFound(pass, found) : await created(pass, revision);
    const number = next.newSet?.metadata.annotations?.[revisionAnnotation];
    if (number !== undefined && deployment.metadata.annotations?.[revisionAnnotation] !== number) {
      const { namespace, name = '' } = deployment.metadata;
      const patch = JSON.stringify({ metadata: { annotations: { [revisionAnnotation]: number } } });
      await api.patch(collections.deployments, { namespace, name }, 'merge', patch, { signal });
    }
    return next;
  }

  function withFound(pass: Pass, newSet: ReplicaSet): Pass {
    const { deployment } = pass;
    if (!hasDeadline(deployment) || conditionOf(deployment, 'Progressing')) return { ...pass, newSet };
    const message = `Found new replica set "${newSet.metadata.name}"`;
    return { ...pass, newSet, deployment: withProgressing(deployment, 'True', 'FoundNewReplicaSet', message) };
  }

  async function created(pass: Pass, revision: number): Promise<Pass> {
    const { key, deployment, oldSets, collisionCount, signal } = pass;
    const size = newSetSize(deployment, undefined, oldSets);
    const set = newReplicaSet(deployment, revision, collisionCount, size);
    try {
      const result = await writes.create(key, deployment, set, signal);
      if (!result.ok) return await created(await withCollision(pass), revision);
      if (!hasDeadline(deployment)) return { ...pass, newSet: result.set };
      const message = `Created new replica set "${result.set.metadata.name}"`;
      return {
        ...pass,
        newSet: result.set,
        deployment: withProgressing(deployment, 'True', 'NewReplicaSetCreated', message),
      };
    } catch (error) {
      const message = explain(error);
      events.warning(
        deployment,
        'ReplicaSetCreateError',
        `Failed to create new replica set "${set.metadata.name}": ${message}`,
      );
      if (hasDeadline(deployment)) {
        const failed = withProgressing(deployment, 'False', 'FailedCreate', message);
        await report({ ...pass, deployment: failed }, countedStatus(failed, facts(pass)));
      }
      throw error;
    }
  }

  /** The count is written down before it is used, so that every later pass computes the same name. */
  async function withCollision(pass: Pass): Promise<Pass> {
    const collisionCount = pass.collisionCount + 1;
    const { deployment, signal } = pass;
    const status = { ...deployment.status, collisionCount };
    await writeStatus(api, collections.deployments, deployment, status, { signal });
    return { ...pass, collisionCount };
  }

  async function resizeAll(pass: Pass, resizes: readonly Resize[]): Promise<Pass> {
    const { key, deployment, signal } = pass;
    const replaced = new Map<ReplicaSet, ReplicaSet>();
    for (const resize of resizes) replaced.set(resize.set, await writes.resize(key, deployment, resize, signal));
    const current = (set: ReplicaSet) => replaced.get(set) ?? set;
    return { ...pass, newSet: pass.newSet && current(pass.newSet), oldSets: pass.oldSets.map(current) };
  }

  async function cleanUpWhenComplete(pass: Pass): Promise<void> {
    if (isComplete(pass.deployment, pass.deployment.status ?? {})) await cleanUp(pass);
  }

  async function cleanUp({ deployment, oldSets, signal }: Pass): Promise<void> {
    for (const set of planCleanup(deployment, oldSets)) await writes.remove(set, signal);
  }

  function deploymentsFor(set: ReplicaSet): string[] {
    if (controllerOf(set)) {
      const key = controllerKey(set, collections.deployments);
      return key ? [key] : [];
    }
    const candidates = [...deploymentsByNamespace.get(set.metadata.namespace ?? '')];
    return candidates.filter((one) => matchesLabels(selectorOf(one), set.metadata.labels)).map(objectKey);
  }

  return createController(deps, {
    name: 'deployment',
    reads: [deployments, sets, cluster.pods],
    watch: (queue) => {
      const wake = (set: ReplicaSet) => deploymentsFor(set).forEach((key) => queue.enqueue(key));
      return [
        deployments.listen({
          onPut: (deployment) => queue.enqueue(objectKey(deployment)),
          onDelete: (deployment) => queue.enqueue(objectKey(deployment)),
        }),
        sets.listen({
          onPut(set, before) {
            if (before) wake(before);
            wake(set);
          },
          onDelete: wake,
        }),
        // Recreate waits for the last old pod.
        cluster.pods.listen({
          onDelete(pod: Pod) {
            const setKey = controllerKey(pod, collections.replicaSets);
            const set = setKey === undefined ? undefined : sets.get(setKey);
            if (set) wake(set);
          },
        }),
      ];
    },
    reconcile,
  });
}

const selectorOf = ({ spec }: Deployment) => labelSelectorOf(spec?.selector);
