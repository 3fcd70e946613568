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
import { labelSelectorOf } from '@kedge/model/k8s-selectors';
import type { Node, Pod } from '@kedge/model/k8s-types';
import { chooseNode, type Refusal } from './choose-node.ts';
import type { ClusterChange, ClusterFacts } from './filters/filter.ts';
import { claimsOf } from './filters/volume-filters.ts';
import { type Budget, planPreemption, type Victims } from './plan-preemption.ts';
import { planVolumes, type VolumeDecision } from './plan-volumes.ts';
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
const selectedNode = 'volume.kubernetes.io/selected-node';

export function createScheduler(options: SchedulerOptions): Module {
  const { api, informers, clock, random, schedulerName = 'default-scheduler' } = options;
  const log = options.log.child({ module: 'scheduler' });
  const events = options.events.from(schedulerName);
  const pods = informers.of(collections.pods);
  const nodes = informers.of(collections.nodes);
  const namespaces = informers.of(collections.namespaces);
  const claims = informers.of(collections.persistentVolumeClaims);
  const volumes = informers.of(collections.persistentVolumes);
  const classes = informers.of(collections.storageClasses);
  const csiNodes = informers.of(collections.csiNodes);
  const csiDrivers = informers.of(collections.csiDrivers);
  const capacities = informers.of(collections.csiStorageCapacities);
  const storageCopies = [claims, volumes, classes, csiNodes, csiDrivers, capacities];
  const budgets = informers.of(collections.podDisruptionBudgets);
  const table = new ClusterTable();
  const pending = new PendingPods(clock);
  /** Pods placed here whose binding the API has not shown yet, by key. */
  const placing = new Map<string, Pod>();
  const writes = new Set<Promise<void>>();
  /** Pods that wait for others to leave a node for them: whose leaving, by their own key. */
  const expecting = new Map<string, readonly PodFacts[]>();
  /** The node that others leave for a pod, by the pod's key. */
  const nominations = new Map<string, { readonly node: string; readonly pod: Pod }>();

  function onPodPut(pod: Pod, last: Pod | undefined): void {
    const key = objectKey(pod);
    // Deleted and made again while we were not looking.
    const isAnother = last !== undefined && last.metadata.uid !== pod.metadata.uid;
    if (isAnother) onPodGone(last);
    const before = isAnother ? undefined : last;
    noteNomination(key, pod);
    if (isPlaced(pod)) onPlacedPod(key, pod, before);
    else if (isTerminal(pod) || !isOurs(pod, schedulerName)) pending.drop(key);
    else if (placing.get(key)?.metadata.uid === pod.metadata.uid) return;
    else if (before && samePlacement(before, pod)) pending.refresh(pod);
    else pending.put(pod);
  }

  function noteNomination(key: string, pod: Pod): void {
    const node = pod.status?.nominatedNodeName;
    if (node && !isPlaced(pod) && !isTerminal(pod)) nominations.set(key, { node, pod });
    else if (isPlaced(pod) || isTerminal(pod)) nominations.delete(key);
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
    nominations.delete(key);
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
      nominated: nominatedByNode(),
      storage: {
        claim: (namespace, name) => claims.get(`${namespace}/${name}`),
        volume: (name) => volumes.get(name),
        volumes: () => volumes.list(),
        storageClass: (name) => classes.get(name),
        csiNode: (name) => csiNodes.get(name),
        csiDriver: (name) => csiDrivers.get(name),
        capacities: () => capacities.list(),
      },
    };
  }

  function nominatedByNode(): Map<string, PodFacts[]> {
    const byNode = new Map<string, PodFacts[]>();
    for (const [key, { node, pod }] of nominations) {
      if (table.placeOf(key) === undefined) byNode.set(node, [...(byNode.get(node) ?? []), podFacts(pod)]);
    }
    return byNode;
  }

  const budgetFacts = (): Budget[] =>
    [...budgets.list()].flatMap(({ metadata, spec, status }) => {
      const selector = labelSelectorOf(spec?.selector);
      // A budget without a selector protects nobody here.
      if (selector === 'nothing' || selector.length === 0) return [];
      const granted = new Set(Object.keys(status?.disruptedPods ?? {}));
      return [{ namespace: metadata.namespace ?? '', selector, allowed: status?.disruptionsAllowed ?? 0, granted }];
    });

  function tryOne(waiting: Waiting, signal: AbortSignal): void {
    const { pod } = waiting;
    const cluster = picture();
    const choice = chooseNode(podFacts(pod), cluster, () => random.next());
    const decisions = choice.ok ? volumesFor(pod, choice.node, cluster) : [];
    if (choice.ok && decisions.length > 0) {
      // The pod is tried again when its volumes are bound, and then follows them.
      pending.park(waiting, new Set(['volume', 'node']));
      write(() => settleVolumes(choice.node, decisions, signal));
    } else if (choice.ok) {
      expecting.delete(waiting.key);
      placing.set(waiting.key, pod);
      table.putPod(pod, choice.node);
      write(() => bind(waiting, pod, choice.node, signal));
    } else {
      pending.park(waiting, helpFor(choice.refusals));
      const preemption = isExpecting(waiting.key)
        ? { ok: false as const, why: 'preemption: not eligible due to a terminating pod on the nominated node.' }
        : planPreemption(podFacts(pod), cluster, choice.refusals, budgetFacts());
      const suffix = preemption.ok || preemption.why === '' ? '' : ` ${preemption.why}`;
      const message = `${choice.message}${suffix}`;
      if (preemption.ok) nominations.set(waiting.key, { node: preemption.victims.node, pod });
      else if (!isExpecting(waiting.key)) nominations.delete(waiting.key);
      events.warning(pod, 'FailedScheduling', message);
      write(() => sayUnschedulable(pod, message, nominations.get(waiting.key)?.node, signal));
      if (preemption.ok) write(() => preempt(pod, preemption.victims, signal));
    }
  }

  /** What has to be decided about the pod's volumes before it can go to the node. */
  function volumesFor(pod: Pod, node: string, cluster: ClusterFacts): readonly VolumeDecision[] {
    const facts = podFacts(pod);
    const known = cluster.nodes.find(({ name }) => name === node);
    if (facts.claims.length === 0 || !known) return [];
    const found = claimsOf(facts, cluster);
    const plan = found.ok ? planVolumes(found.all, known.node, cluster.storage) : undefined;
    return plan?.ok ? plan.decisions : [];
  }

  /** Sets volumes aside for claims, and tells provisioners where the others are wanted. */
  async function settleVolumes(node: string, decisions: readonly VolumeDecision[], signal: AbortSignal): Promise<void> {
    for (const { claim, volume } of decisions) {
      const { namespace, name = '', uid, annotations } = claim.metadata;
      try {
        if (volume) {
          if (volume.spec?.claimRef?.uid === uid) continue;
          const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid };
          const { resourceVersion } = volume.metadata;
          const patch = JSON.stringify({ metadata: { resourceVersion }, spec: { claimRef } });
          await api.patch(collections.persistentVolumes, { name: volume.metadata.name ?? '' }, 'merge', patch, {
            signal,
          });
        } else if (annotations?.[selectedNode] !== node) {
          const patch = JSON.stringify({ metadata: { annotations: { [selectedNode]: node } } });
          await api.patch(collections.persistentVolumeClaims, { namespace, name }, 'merge', patch, { signal });
        }
      } catch (error) {
        // Taken or gone meanwhile: that change is a reason to try again.
        if (!signal.aborted) log.debug('volume not settled', { key: `${namespace}/${name}`, err: error });
      }
    }
  }

  /** Nobody else is made to leave while those who were told to are still on their way. */
  const isExpecting = (key: string): boolean =>
    (expecting.get(key) ?? []).some(
      (victim) =>
        table.placeOf(victim.key) !== undefined && pods.get(victim.key)?.metadata.uid === victim.pod.metadata.uid,
    );

  async function preempt(pod: Pod, { node, pods: victims }: Victims, signal: AbortSignal): Promise<void> {
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
    await withdrawNominations(pod, node, signal);
  }

  /** Pods of lower priority that wait for the same node may no longer fit there: they look for another. */
  async function withdrawNominations({ metadata, spec }: Pod, node: string, signal: AbortSignal): Promise<void> {
    const lesser = [...nominations].filter(
      ([, { node: theirs, pod }]) =>
        theirs === node && pod.metadata.uid !== metadata.uid && (pod.spec?.priority ?? 0) < (spec?.priority ?? 0),
    );
    for (const [key, { pod }] of lesser) {
      nominations.delete(key);
      const { namespace, name = '', uid } = pod.metadata;
      const patch = JSON.stringify({ metadata: { uid }, status: { nominatedNodeName: null } });
      try {
        await api.patch(collections.pods, { namespace, name, subresource: 'status' }, 'strategic', patch, { signal });
      } catch (error) {
        if (!signal.aborted && !isStatus(error, 'NotFound'))
          log.debug('nomination not withdrawn', { pod: key, err: error });
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

  async function sayUnschedulable(
    pod: Pod,
    message: string,
    nominated: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { namespace, name = '' } = pod.metadata;
    const patch = unschedulablePatch(pods.get(objectKey(pod)) ?? pod, message, nominated, clock.now());
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
      ...storageCopies.map((copy) =>
        copy.listen({ onPut: () => pending.changed('volume'), onDelete: () => pending.changed('volume') }),
      ),
    ];
    for (const stop of stops) scope.defer('scheduler listener', stop);
  }

  return {
    name: 'scheduler',
    async start(scope) {
      listen(scope);
      for (const copy of [nodes, pods, namespaces, ...storageCopies, budgets]) await copy.synced(scope.signal);
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
