// The scheduler as a module: watches pods and nodes, takes one waiting pod after the other, and binds it or says why not.
// Decisions are serial and made on a picture that already holds the pods placed a moment ago; writing is parallel.
import { explain } from '@kedge/core/errors';
import type { Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { Random } from '@kedge/core/ports';
import type { Clock } from '@kedge/core/time';
import type { EventSink } from '@kedge/engine/event-recorder';
import { collections, type KubeApi, type SharedInformers } from '@kedge/engine/kube-client';
import { isStatus, objectKey } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';
import type { Node, Pod } from '@kedge/model/k8s-types';
import { chooseNode, type Refusal } from './choose-node.ts';
import type { ClusterChange, ClusterFacts } from './filters/filter.ts';
import { planPreemption, type Preemption } from './plan-preemption.ts';
import { isOurs, isPlaced, isTerminal, preemptedPatch, samePlacement, unschedulablePatch } from './pod-placement.ts';
import { PendingPods, type Waiting } from './queue/pending-pods.ts';
import { ClusterTable } from './state/cluster-table.ts';
import { type PodFacts, podFacts } from './state/pod-facts.ts';

export interface SchedulerOptions {
  readonly api: KubeApi;
  /** Shared with the controllers; started before the scheduler. */
  readonly informers: SharedInformers;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  /** Pods that name another scheduler are left to it. */
  readonly schedulerName?: string;
}

/** Bindings and status writes that are under way at once. */
const parallelWrites = 32;

export function createScheduler(options: SchedulerOptions): Module {
  const { api, informers, clock, random, schedulerName = 'default-scheduler' } = options;
  const log = options.log.child({ module: 'scheduler' });
  const events = options.events.from(schedulerName);
  const pods = informers.of(collections.pods);
  const nodes = informers.of(collections.nodes);
  const namespaces = informers.of(collections.namespaces);
  const table = new ClusterTable();
  const pending = new PendingPods(clock);
  /** Pods placed here whose binding the API has not shown yet, by key. */
  const placing = new Map<string, Pod>();
  const writes = new Set<Promise<void>>();
  /** Pods that wait for others to leave a node for them: whose leaving, by their own key. */
  const expecting = new Map<string, readonly PodFacts[]>();

  function onPodPut(pod: Pod, last: Pod | undefined): void {
    const key = objectKey(pod);
    // Deleted and made again while we were not looking.
    const isAnother = last !== undefined && last.metadata.uid !== pod.metadata.uid;
    if (isAnother) onPodGone(last);
    const before = isAnother ? undefined : last;
    if (isPlaced(pod)) onPlacedPod(key, pod, before);
    else if (isTerminal(pod) || !isOurs(pod, schedulerName)) pending.drop(key);
    else if (placing.get(key)?.metadata.uid === pod.metadata.uid) return;
    else if (before && samePlacement(before, pod)) pending.refresh(pod);
    else pending.put(pod);
  }

  function onPlacedPod(key: string, pod: Pod, before: Pod | undefined): void {
    placing.delete(key);
    pending.drop(key);
    const wasPlaced = before !== undefined && isPlaced(before);
    if (isTerminal(pod)) {
      table.dropPod(key);
      if (!before || !isTerminal(before)) pending.changed('pod-gone');
      return;
    }
    table.putPod(pod, pod.spec?.nodeName ?? '');
    if (!wasPlaced) pending.changed('pod-placed');
    else if (!samePlacement(before, pod)) pending.changed('pod-relabelled');
  }

  function onPodGone(pod: Pod): void {
    const key = objectKey(pod);
    expecting.delete(key);
    placing.delete(key);
    pending.drop(key);
    if (table.placeOf(key) === undefined) return;
    table.dropPod(key);
    pending.changed('pod-gone');
  }

  function onNodePut(node: Node, before: Node | undefined): void {
    table.putNode(node);
    if (!before || !sameOffer(before, node)) pending.changed('node');
  }

  function picture(): ClusterFacts {
    const all = table.nodes();
    const byName = new Map(all.map((node) => [node.name, node]));
    return {
      nodes: all,
      repelling: table.repelling,
      nodeOf: (key) => byName.get(table.placeOf(key) ?? ''),
      namespaceLabels: (name) => namespaces.get(name)?.metadata.labels ?? {},
    };
  }

  function tryOne(waiting: Waiting, signal: AbortSignal): void {
    const { pod } = waiting;
    const cluster = picture();
    const choice = chooseNode(podFacts(pod), cluster, () => random.next());
    if (choice.ok) {
      expecting.delete(waiting.key);
      placing.set(waiting.key, pod);
      table.putPod(pod, choice.node);
      write(() => bind(waiting, pod, choice.node, signal));
    } else {
      pending.park(waiting, helpFor(choice.refusals));
      events.warning(pod, 'FailedScheduling', choice.message);
      write(() => sayUnschedulable(pod, choice.message, signal));
      const preemption = isExpecting(waiting.key) ? undefined : planPreemption(podFacts(pod), cluster, choice.refusals);
      if (preemption) write(() => preempt(pod, preemption, signal));
    }
  }

  /** Nobody else is made to leave while those who were told to are still on their way. */
  const isExpecting = (key: string): boolean =>
    (expecting.get(key) ?? []).some(
      (victim) =>
        table.placeOf(victim.key) !== undefined && pods.get(victim.key)?.metadata.uid === victim.pod.metadata.uid,
    );

  async function preempt(pod: Pod, { node, victims }: Preemption, signal: AbortSignal): Promise<void> {
    const key = objectKey(pod);
    expecting.set(key, victims);
    log.info('pods make room for one of higher priority', { pod: key, node, count: victims.length });
    for (const victim of victims) {
      const { namespace, name = '', uid = '' } = victim.pod.metadata;
      events.normal(victim.pod, 'Preempted', `Preempted by pod ${pod.metadata.uid} on node ${node}`);
      try {
        const target = { namespace, name, subresource: 'status' };
        await api.patch(collections.pods, target, 'strategic', preemptedPatch(victim.pod, schedulerName, clock.now()), {
          signal,
        });
        await api.delete(collections.pods, { namespace, name }, { uid, signal });
      } catch (error) {
        if (!signal.aborted && !isStatus(error, 'NotFound'))
          log.warn('pod could not be preempted', { pod: victim.key, err: error });
      }
    }
  }

  function write(work: () => Promise<void>): void {
    const running: Promise<void> = work().finally(() => writes.delete(running));
    writes.add(running);
  }

  async function bind(waiting: Waiting, pod: Pod, node: string, signal: AbortSignal): Promise<void> {
    const { namespace, name = '', uid = '' } = pod.metadata;
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, uid, ...(namespace === undefined ? {} : { namespace }) },
      target: { apiVersion: 'v1', kind: 'Node', name: node },
    };
    try {
      await api.create(collections.pods, namespace, binding, { subresource: { name, subresource: 'binding' }, signal });
      pending.finish(waiting);
      events.normal(pod, 'Scheduled', `Successfully assigned ${waiting.key} to ${node}`);
      log.info('pod scheduled', { pod: waiting.key, node });
    } catch (error) {
      if (!signal.aborted) onBindFailed(waiting, pod, error);
    }
  }

  /** Takes the placement back, unless the pod has been replaced or placed by someone else meanwhile. */
  function onBindFailed(waiting: Waiting, pod: Pod, error: unknown): void {
    if (placing.get(waiting.key) === pod) {
      placing.delete(waiting.key);
      table.dropPod(waiting.key);
      pending.changed('pod-gone');
    }
    if (isStatus(error, 'NotFound')) return pending.finish(waiting);
    log.warn('pod could not be bound', { pod: waiting.key, err: error });
    events.warning(pod, 'FailedScheduling', `binding rejected: ${explain(error)}`);
    pending.retry(waiting);
  }

  async function sayUnschedulable(pod: Pod, message: string, signal: AbortSignal): Promise<void> {
    const { namespace, name = '' } = pod.metadata;
    const patch = unschedulablePatch(pods.get(objectKey(pod)) ?? pod, message, clock.now());
    if (patch === undefined) return;
    try {
      await api.patch(collections.pods, { namespace, name, subresource: 'status' }, 'strategic', patch, { signal });
    } catch (error) {
      if (!signal.aborted && !isStatus(error, 'NotFound'))
        log.debug('pod condition not written', { pod: objectKey(pod), err: error });
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const waiting = await pending.take(signal).catch(() => undefined);
      if (!waiting) continue;
      tryOne(waiting, signal);
      while (writes.size >= parallelWrites) await Promise.race(writes);
    }
    await Promise.allSettled(writes);
  }

  function listen(scope: Scope): void {
    const stops = [
      nodes.listen({
        onPut: onNodePut,
        onDelete({ metadata }) {
          table.dropNode(metadata.name ?? '');
          pending.changed('node');
        },
      }),
      pods.listen({ onPut: onPodPut, onDelete: onPodGone }),
    ];
    for (const stop of stops) scope.defer('scheduler listener', stop);
  }

  return {
    name: 'scheduler',
    async start(scope) {
      listen(scope);
      for (const copy of [nodes, pods, namespaces]) await copy.synced(scope.signal);
      scope.spawn('scheduling', run);
    },
  };
}

/** Which changes could make one of the refusals go away; without any node only a node helps. */
function helpFor(refusals: readonly Refusal[]): ReadonlySet<ClusterChange> {
  return new Set(['node' as const, ...refusals.flatMap(({ filter }) => filter.helpedBy)]);
}

/** True when nothing changed that decides which pods a node takes; heartbeats are most of what nodes report. */
const sameOffer = (a: Node, b: Node): boolean =>
  jsonEqual(a.spec, b.spec) &&
  jsonEqual(a.metadata.labels, b.metadata.labels) &&
  jsonEqual(a.status?.allocatable, b.status?.allocatable);
