// Keeps one pod of a DaemonSet on every node that is to have one, and replaces them when the template changes.
import { again, done, type Next } from '@kedge/core/control';
import { explain } from '@kedge/core/errors';
import type { Module } from '@kedge/core/module';
import { type Duration, milliseconds, seconds } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { isStatus, objectKey } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';
import { labelSelectorOf } from '@kedge/model/k8s-selectors';
import type { DaemonSet, Node, Pod } from '@kedge/model/k8s-types';
import { controllerOf, controllerRef } from '../ownership/controller-ref.ts';
import { createOwnedPods } from '../ownership/owned-pods.ts';
import { currentRevision, deleteOldRevisions, revisionHash } from '../revisions/controller-revisions.ts';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { slowStart } from '../runtime/slow-start.ts';
import { writeStatus } from '../runtime/status-patch.ts';
import { daemonPod, hashLabel } from './daemon-pod.ts';
import { daemonSetStatus } from './daemon-set-status.ts';
import { type DaemonFacts, endedBackoff, groupByNode, planDaemonRollout, planDaemons } from './plan-daemons.ts';

/** No pass creates or deletes more than this; the next pass goes on. */
const burst = 250;
const alwaysCounted = ['desiredNumberScheduled', 'currentNumberScheduled', 'numberMisscheduled', 'numberReady'];

export function createDaemonSetController(deps: ControllerDeps): Module {
  const { api, cluster, clock } = deps;
  const events = deps.events('daemonset-controller');
  const sets = cluster.of(collections.daemonSets);
  const nodes = cluster.of(collections.nodes);
  const revisions = cluster.of(collections.controllerRevisions);
  const revisionsByNamespace = cluster.byNamespace(collections.controllerRevisions);
  const owned = createOwnedPods({
    api,
    cluster,
    of: collections.daemonSets,
    selectorOf: ({ spec }: DaemonSet) => labelSelectorOf(spec?.selector),
  });
  const { own } = owned;
  /** How often pods of a set have ended on a node, and until when that node waits, by set and node. */
  const endings = new Map<string, { times: number; waitUntil: Duration }>();

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const set = sets.get(key);
    if (!set) {
      own.forget(key);
      for (const one of endings.keys()) if (one.startsWith(`${key} `)) endings.delete(one);
      return done;
    }
    if (set.metadata.deletionTimestamp !== undefined) return done;
    if (labelSelectorOf(set.spec?.selector).length === 0) {
      events.warning(set, 'SelectingAll', 'This daemon set is selecting all pods. A non-empty selector is required.');
      return done;
    }
    const hash = await revise(set, signal);
    if (hash === undefined) return again(milliseconds(100), 'the name of the revision was taken');
    const claimed = await owned.claim(key, set, signal);
    const facts: DaemonFacts = {
      set,
      nodes: [...nodes.list()],
      podsByNode: groupByNode(claimed),
      hash,
      now: clock.now(),
    };
    const waiting = await act(key, facts, signal);
    const present = groupByNode(owned.present(key, set, claimed));
    const status = daemonSetStatus({ ...facts, podsByNode: present });
    await writeStatus(api, collections.daemonSets, set, status, { keepZeros: alwaysCounted, signal });
    await cleanUp(set, claimed, hash, signal);
    if (waiting !== undefined) return again(waiting, 'pods on some nodes keep ending');
    const isRipening = status.numberReady > (status.numberAvailable ?? 0);
    return isRipening ? again(seconds(set.spec?.minReadySeconds ?? 0), 'pods become available') : done;
  }

  /** The hash of the current revision; undefined when it has to be found under another name. */
  async function revise(set: DaemonSet, signal: AbortSignal): Promise<string | undefined> {
    const { namespace = '', uid } = set.metadata;
    const history = [...revisionsByNamespace.get(namespace)].filter((one) => controllerOf(one)?.uid === uid);
    const collisionCount = set.status?.collisionCount ?? 0;
    const owner = {
      metadata: set.metadata,
      template: set.spec?.template,
      reference: controllerRef(collections.daemonSets, set),
      collisionCount,
    };
    const current = await currentRevision(api, owner, history, signal);
    if (current.ok) return revisionHash(current.revision);
    const status = { ...set.status, collisionCount: collisionCount + 1 };
    await writeStatus(api, collections.daemonSets, set, status, { keepZeros: alwaysCounted, signal });
    return undefined;
  }

  /** Carries the plans out; returns how long to wait when a node has to wait for its next pod. */
  async function act(key: string, facts: DaemonFacts, signal: AbortSignal): Promise<Duration | undefined> {
    const { set, hash, podsByNode } = facts;
    const plan = planDaemons(facts);
    const rollsOut = set.spec?.updateStrategy?.type !== 'OnDelete';
    const rollout = rollsOut ? planDaemonRollout(facts) : { create: [], delete: [] };
    const ended = noteEndings(key, plan.ended, set);
    const doomed = new Set([...plan.delete, ...ended.due, ...rollout.delete].slice(0, burst));
    const creates = [...new Set([...plan.create, ...rollout.create])].slice(0, burst);
    for (const node of creates) if (!podsByNode.has(node)) noteGoodStart(key, node);
    const created = await slowStart(creates.length, (at) => createPod(key, set, creates[at]!, hash, signal));
    const results = await Promise.allSettled([...doomed].map((pod) => deletePod(key, set, pod, signal)));
    const failed = results.find((result) => result.status === 'rejected');
    if (created.error !== undefined) throw created.error;
    if (failed) throw failed.reason;
    return ended.wait;
  }

  /** Ended pods are deleted at once the first time, then after longer and longer waits. */
  function noteEndings(key: string, pods: readonly Pod[], set: DaemonSet): { due: Pod[]; wait: Duration | undefined } {
    const now = clock.monotonic();
    const due: Pod[] = [];
    let wait: Duration | undefined;
    for (const pod of pods) {
      const place = `${key} ${pod.spec?.nodeName ?? ''}`;
      const { times, waitUntil } = endings.get(place) ?? { times: 0, waitUntil: milliseconds(0) };
      if (waitUntil > now) {
        const left = milliseconds(waitUntil - now);
        wait = wait === undefined || left < wait ? left : wait;
        continue;
      }
      endings.set(place, { times: times + 1, waitUntil: (now + endedBackoff(times)) as Duration });
      due.push(pod);
      const [reason, word] =
        pod.status?.phase === 'Failed' ? ['FailedDaemonPod', 'failed'] : ['SucceededDaemonPod', 'succeeded'];
      const message = `Found ${word} daemon pod ${objectKey(pod)} on node ${pod.spec?.nodeName}, will try to delete it`;
      if (pod.status?.phase === 'Failed') events.warning(set, reason!, message);
      else events.normal(set, reason!, message);
    }
    return { due, wait };
  }

  /** A node that has been quiet for a quarter of an hour starts afresh. */
  function noteGoodStart(key: string, node: string): void {
    const place = `${key} ${node}`;
    const known = endings.get(place);
    if (known && clock.monotonic() - known.waitUntil > 15 * 60_000) endings.delete(place);
  }

  async function createPod(
    key: string,
    set: DaemonSet,
    node: string,
    hash: string,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      const pod = daemonPod(set, node, hash);
      const created = (await api.create(collections.pods, set.metadata.namespace, pod, { signal })) as Pod;
      own.created(key, created);
      events.normal(set, 'SuccessfulCreate', `Created pod: ${created.metadata.name}`);
    } catch (error) {
      events.warning(set, 'FailedCreate', `Error creating: ${explain(error)}`);
      throw error;
    }
  }

  async function deletePod(key: string, set: DaemonSet, pod: Pod, signal: AbortSignal): Promise<void> {
    const { namespace, name = '', uid = '' } = pod.metadata;
    try {
      await api.delete(collections.pods, { namespace, name }, { uid, signal });
      events.normal(set, 'SuccessfulDelete', `Deleted pod: ${name}`);
    } catch (error) {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) {
        events.warning(set, 'FailedDelete', `Error deleting: ${explain(error)}`);
        throw error;
      }
    }
    own.deleted(key, pod);
  }

  async function cleanUp(set: DaemonSet, pods: readonly Pod[], hash: string, signal: AbortSignal): Promise<void> {
    const { namespace = '', uid } = set.metadata;
    const history = [...revisionsByNamespace.get(namespace)].filter((one) => controllerOf(one)?.uid === uid);
    const inUse = new Set([hash, ...pods.map(({ metadata }) => metadata.labels?.[hashLabel] ?? '')]);
    await deleteOldRevisions(api, history, set.spec?.revisionHistoryLimit ?? 10, inUse, signal);
  }

  return createController(deps, {
    name: 'daemonset',
    reads: [sets, nodes, revisions, cluster.pods],
    watch: (queue) => {
      const wakeAll = () => {
        for (const set of sets.list()) queue.enqueue(objectKey(set));
      };
      return [
        sets.listen({
          onPut: (set) => queue.enqueue(objectKey(set)),
          onDelete: (set) => queue.enqueue(objectKey(set)),
        }),
        owned.watch(queue),
        nodes.listen({
          onPut(node, before) {
            if (!before || !sameOffer(before, node)) wakeAll();
          },
          onDelete: wakeAll,
        }),
      ];
    },
    reconcile,
  });
}

/** Heartbeats change nothing about which daemons a node gets. */
const sameOffer = (a: Node, b: Node): boolean =>
  jsonEqual(a.metadata.labels, b.metadata.labels) && jsonEqual(a.spec?.taints, b.spec?.taints);
