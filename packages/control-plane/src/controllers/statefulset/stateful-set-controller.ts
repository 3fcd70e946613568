// Keeps the pods of a StatefulSet: each with a name of its own, its volume claims and its turn.
import { again, done, type Next } from '@kedge/core/control';
import { explain } from '@kedge/core/errors';
import type { Module } from '@kedge/core/module';
import { milliseconds, seconds } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { fail, isStatus, objectKey } from '@kedge/model/k8s';
import { labelSelectorOf } from '@kedge/model/k8s-selectors';
import type { ControllerRevision, PersistentVolumeClaim, Pod, StatefulSet } from '@kedge/model/k8s-types';
import { controllerOf, controllerRef } from '../ownership/controller-ref.ts';
import { createOwnedPods } from '../ownership/owned-pods.ts';
import { currentRevision, deleteOldRevisions, revisionHash } from '../revisions/controller-revisions.ts';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { writeStatus } from '../runtime/status-patch.ts';
import { planClaimOwners } from './claim-retention.ts';
import { planStatefulSet, type StatefulAction, type StatefulFacts } from './plan-stateful-set.ts';
import { statefulSetStatus } from './stateful-set-status.ts';
import { claimsOf, identityLabels, ordinalOf, podName, revisionOf, statefulPod, templateOf } from './stateful-pod.ts';

const { controllerRevisions, persistentVolumeClaims, pods, statefulSets } = collections;
const alwaysCounted = ['replicas', 'availableReplicas', 'collisionCount'];

interface Revisions {
  readonly current: ControllerRevision;
  readonly update: ControllerRevision;
}

export function createStatefulSetController(deps: ControllerDeps): Module {
  const { api, cluster, clock } = deps;
  const events = deps.events('statefulset-controller');
  const sets = cluster.of(statefulSets);
  const claims = cluster.of(persistentVolumeClaims);
  const revisions = cluster.of(controllerRevisions);
  const revisionsByNamespace = cluster.byNamespace(controllerRevisions);
  const owned = createOwnedPods({
    api,
    cluster,
    of: statefulSets,
    selectorOf: ({ spec }: StatefulSet) => labelSelectorOf(spec?.selector),
    accepts: (set, pod) => ordinalOf(set, pod) !== undefined,
  });

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const set = sets.get(key);
    if (!set) {
      owned.own.forget(key);
      return done;
    }
    const known = await revise(set, signal);
    if (!known) return again(milliseconds(100), 'the name of the revision was taken');
    const claimed = await owned.claim(key, set, signal);
    const facts: StatefulFacts = {
      set,
      pods: claimed,
      current: nameOf(known.current),
      update: nameOf(known.update),
      now: clock.now(),
    };
    const failure = await act(key, facts, known, signal);
    const status = statefulSetStatus({ ...facts, pods: owned.present(key, set, claimed) });
    await writeStatus(api, statefulSets, set, status, { keepZeros: alwaysCounted, signal });
    if (failure !== undefined) throw failure;
    await cleanUp(set, claimed, known, signal);
    const isRipening = (status.readyReplicas ?? 0) > (status.availableReplicas ?? 0);
    return isRipening ? again(seconds(set.spec?.minReadySeconds ?? 0), 'pods become available') : done;
  }

  const historyOf = ({ metadata }: StatefulSet): ControllerRevision[] =>
    [...revisionsByNamespace.get(metadata.namespace ?? '')].filter((one) => controllerOf(one)?.uid === metadata.uid);

  /** What pods have and what they are to get; undefined when the latter has to be found under another name. */
  async function revise(set: StatefulSet, signal: AbortSignal): Promise<Revisions | undefined> {
    const history = historyOf(set);
    const collisionCount = set.status?.collisionCount ?? 0;
    const owner = {
      metadata: set.metadata,
      template: set.spec?.template,
      reference: controllerRef(statefulSets, set),
      collisionCount,
    };
    const newest = await currentRevision(api, owner, history, signal);
    if (!newest.ok) {
      const status = { ...set.status, collisionCount: collisionCount + 1 };
      await writeStatus(api, statefulSets, set, status, { keepZeros: alwaysCounted, signal });
      return undefined;
    }
    const update = newest.revision;
    const current = history.find((one) => nameOf(one) === set.status?.currentRevision) ?? update;
    return { current, update };
  }

  /** Carries the plan out as far as it goes; what went wrong is returned, because the status comes first. */
  async function act(key: string, facts: StatefulFacts, known: Revisions, signal: AbortSignal): Promise<unknown> {
    const { set } = facts;
    try {
      if (set.metadata.deletionTimestamp === undefined) await keepIdentities(facts, signal);
    } catch (error) {
      return error;
    }
    const results = await Promise.allSettled(
      planStatefulSet(facts).map((action) => carryOut(key, set, known, action, signal)),
    );
    return results.find((result) => result.status === 'rejected')?.reason;
  }

  async function carryOut(
    key: string,
    set: StatefulSet,
    known: Revisions,
    action: StatefulAction,
    signal: AbortSignal,
  ): Promise<void> {
    switch (action.do) {
      case 'claim':
        return ensureClaims(set, action.ordinal, signal);
      case 'create':
        return createPod(key, set, action.ordinal, revisionNamed(known, action.revision), signal);
      case 'delete':
        if (action.why === 'surplus') await keepClaimOwners(set, ordinalOf(set, action.pod) ?? 0, action.pod, signal);
        return deletePod(key, set, action.pod, action.why === 'ended', signal);
    }
  }

  async function createPod(
    key: string,
    set: StatefulSet,
    ordinal: number,
    revision: ControllerRevision,
    signal: AbortSignal,
  ): Promise<void> {
    const what = `create Pod ${podName(set, ordinal)} in StatefulSet ${set.metadata.name}`;
    try {
      await ensureClaims(set, ordinal, signal);
      const pod = statefulPod(set, ordinal, { name: nameOf(revision), template: templateOf(revision) });
      owned.own.created(key, (await api.create(pods, set.metadata.namespace, pod, { signal })) as Pod);
      events.normal(set, 'SuccessfulCreate', `${what} successful`);
    } catch (error) {
      events.warning(set, 'FailedCreate', `${what} failed error: ${explain(error)}`);
      throw error;
    }
  }

  async function deletePod(
    key: string,
    set: StatefulSet,
    pod: Pod,
    hasEnded: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { namespace, name = '', uid = '' } = pod.metadata;
    if (hasEnded) {
      const [reason, word] =
        pod.status?.phase === 'Failed' ? ['RecreatingFailedPod', 'failed'] : ['RecreatingTerminatedPod', 'terminated'];
      events.warning(set, reason!, `StatefulSet ${objectKey(set)} is recreating ${word} Pod ${name}`);
    }
    const what = `delete Pod ${name} in StatefulSet ${set.metadata.name}`;
    try {
      await api.delete(pods, { namespace, name }, { uid, signal });
      events.normal(set, 'SuccessfulDelete', `${what} successful`);
    } catch (error) {
      // Gone, or replaced by another of the same name: either way ours is no more.
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) {
        events.warning(set, 'FailedDelete', `${what} failed error: ${explain(error)}`);
        throw error;
      }
    }
    owned.own.deleted(key, pod);
  }

  async function ensureClaims(set: StatefulSet, ordinal: number, signal: AbortSignal): Promise<void> {
    for (const claim of claimsOf(set, ordinal)) {
      const known = claims.get(objectKey(claim));
      const name = claim.metadata.name ?? '';
      const what = `create Claim ${name} Pod ${podName(set, ordinal)} in StatefulSet ${set.metadata.name}`;
      // A claim on its way out is not the one that the pod will have; wait for it to be gone.
      if (known?.metadata.deletionTimestamp !== undefined)
        throw fail('Conflict', `persistentvolumeclaims "${name}" is being deleted`);
      if (known) continue;
      const owners = planClaimOwners(set, ordinal, claim);
      const made = owners ? { ...claim, metadata: { ...claim.metadata, ownerReferences: owners } } : claim;
      try {
        await api.create(persistentVolumeClaims, set.metadata.namespace, made, { signal });
        events.normal(set, 'SuccessfulCreate', `${what} success`);
      } catch (error) {
        if (isStatus(error, 'AlreadyExists')) continue;
        events.warning(set, 'FailedCreate', `${what} failed error: ${explain(error)}`);
        throw error;
      }
    }
  }

  /** `surplus` is the pod when it is about to be given up: its claims go with it, if the set says so. */
  async function keepClaimOwners(
    set: StatefulSet,
    ordinal: number,
    surplus: Pod | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    for (const { metadata } of claimsOf(set, ordinal)) {
      const claim: PersistentVolumeClaim | undefined = claims.get(objectKey({ metadata }));
      const ownerReferences = claim && planClaimOwners(set, ordinal, claim, surplus);
      if (!claim || !ownerReferences) continue;
      const { namespace, name = '', uid } = claim.metadata;
      const patch = JSON.stringify({ metadata: { uid, ownerReferences } });
      await api.patch(persistentVolumeClaims, { namespace, name }, 'merge', patch, { signal }).catch(unlessGone);
    }
  }

  /** Pods that were adopted get the labels of their ordinal; claims follow a changed retention policy. */
  async function keepIdentities({ set, pods: all }: StatefulFacts, signal: AbortSignal): Promise<void> {
    for (const pod of all) {
      const ordinal = ordinalOf(set, pod) ?? 0;
      const end = (set.spec?.ordinals?.start ?? 0) + (set.spec?.replicas ?? 1);
      if (ordinal < end) await keepClaimOwners(set, ordinal, undefined, signal);
      const labels = identityLabels(set, ordinal);
      const isNamed = Object.entries(labels).every(([key, value]) => pod.metadata.labels?.[key] === value);
      if (isNamed || pod.metadata.deletionTimestamp !== undefined) continue;
      const { namespace, name = '', uid } = pod.metadata;
      const patch = JSON.stringify({ metadata: { uid, labels } });
      await api.patch(pods, { namespace, name }, 'merge', patch, { signal }).catch(unlessGone);
    }
  }

  function cleanUp(set: StatefulSet, all: readonly Pod[], known: Revisions, signal: AbortSignal): Promise<void> {
    const names = new Set([nameOf(known.current), nameOf(known.update), ...all.map(revisionOf)]);
    const history = historyOf(set);
    const inUse = new Set(history.filter((one) => names.has(nameOf(one))).map(revisionHash));
    return deleteOldRevisions(api, history, set.spec?.revisionHistoryLimit ?? 10, inUse, signal);
  }

  return createController(deps, {
    name: 'statefulset',
    reads: [sets, claims, revisions, cluster.pods],
    watch: (queue) => [
      sets.listen({
        onPut: (set) => queue.enqueue(objectKey(set)),
        onDelete: (set) => queue.enqueue(objectKey(set)),
      }),
      owned.watch(queue),
    ],
    reconcile,
  });
}

const nameOf = ({ metadata }: ControllerRevision): string => metadata.name ?? '';

const revisionNamed = ({ current, update }: Revisions, name: string): ControllerRevision =>
  nameOf(current) === name ? current : update;

function unlessGone(error: unknown): void {
  if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict') && !isStatus(error, 'Invalid')) throw error;
}
