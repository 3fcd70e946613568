// Deletes what has lost all of its owners, and carries out foreground and orphaning deletions. Whatever the graph says
// is checked against the API before anything is deleted.
import { again, createReconciler, done, type Next } from '@kedge/core/control';
import type { Module } from '@kedge/core/module';
import { seconds } from '@kedge/core/time';
import { type GroupVersionResource, isStatus, type KubeObject, type OwnerReference } from '@kedge/model/k8s';
import type { ControllerDeps } from '../runtime/controller.ts';
import { KindMonitors } from './kind-monitors.ts';
import {
  type Coordinates,
  foregroundFinalizer,
  type GraphNode,
  orphanFinalizer,
  OwnershipGraph,
} from './ownership-graph.ts';
import { AbsentUids } from './absent-uids.ts';
import { type OwnerStanding, type OwnerState, planCollection } from './plan-collection.ts';

const name = 'garbage-collector';
const parallel = 10;

export function createGarbageCollector(deps: ControllerDeps): Module {
  const { api, clock, log } = deps;
  const events = deps.events(name);
  const graph = new OwnershipGraph();
  const queue = createReconciler({ name, clock, log, reconcile, parallel });
  const monitors = new KindMonitors(deps, { onPut, onDelete, onLostSight: forget });
  const absent = new AbsentUids();

  function onPut(of: GroupVersionResource, object: KubeObject): void {
    const { node, before } = graph.put(of, object);
    if (before && sameLinks(before, node)) return;
    // Owners are looked at too: they may wait for this one to change or go.
    for (const owner of node.owners) if (graph.get(owner.uid)?.waitsForDependents) queue.enqueue(owner.uid);
    if (node.waitsForDependents || node.leavesOrphans || isInDoubt(node)) queue.enqueue(node.uid);
    if (node.waitsForDependents && !before?.waitsForDependents) wakeDependents(node.uid);
  }

  function onDelete(uid: string): void {
    absent.add(uid);
    forget(uid);
  }

  function forget(uid: string): void {
    const node = graph.get(uid);
    graph.remove(uid);
    wakeDependents(uid);
    for (const owner of node?.owners ?? []) if (graph.get(owner.uid)?.waitsForDependents) queue.enqueue(owner.uid);
  }

  function wakeDependents(uid: string): void {
    for (const dependent of graph.dependents(uid)) queue.enqueue(dependent.uid);
  }

  /** True unless every owner is known to be there to stay. */
  const isInDoubt = ({ at, owners }: GraphNode): boolean =>
    owners.some(({ uid }) => {
      const owner = graph.get(uid);
      return !owner?.at || !at || owner.waitsForDependents || !isVisibleFrom(owner.at, at);
    });

  async function reconcile(uid: string, signal: AbortSignal): Promise<Next> {
    const node = graph.get(uid);
    if (!node?.at) return done;
    if (node.leavesOrphans) return leaveOrphans(node, node.at, signal);
    if (node.waitsForDependents) return letGo(node, node.at, signal);
    if (node.isLeaving || !isInDoubt(node)) return done;
    const object = await read(node.at, uid, signal);
    return object ? collect(node, node.at, object, signal) : done;
  }

  async function collect(node: GraphNode, at: Coordinates, object: KubeObject, signal: AbortSignal): Promise<Next> {
    const { ownerReferences = [], finalizers = [], deletionTimestamp } = object.metadata;
    const owners: OwnerStanding[] = [];
    for (const owner of ownerReferences) owners.push({ owner, state: await stateOf(owner, at, object, signal) });
    const fresh = { ...node, isLeaving: deletionTimestamp !== undefined };
    const plan = planCollection(fresh, finalizers, owners, graph.dependents(node.uid).length > 0);
    switch (plan.do) {
      case 'keep':
        return done;
      case 'lookAgain':
        return again(seconds(30), 'an owner cannot be judged');
      case 'dropReferences':
        await writeOwners(at, object, (owner) => !plan.uids.includes(owner.uid), signal);
        return done;
      case 'delete':
        await remove(at, node.uid, object, plan.how, signal);
        return done;
    }
  }

  async function stateOf(
    owner: OwnerReference,
    of: Coordinates,
    object: KubeObject,
    signal: AbortSignal,
  ): Promise<OwnerState> {
    const known = graph.get(owner.uid);
    if (known?.at && isVisibleFrom(known.at, of)) return known.waitsForDependents ? 'waiting' : 'here';
    if (absent.has(owner.uid)) return 'absent';
    const kind = monitors.find(owner.apiVersion, owner.kind);
    if (!kind) return 'unknown';
    if (kind.namespaced && of.namespace === undefined) {
      events.warning(
        object,
        'OwnerRefInvalidNamespace',
        `ownerRef [${owner.kind} ${owner.name}] is namespaced, but the object is not`,
      );
      return 'unknown';
    }
    const at = { of: kind, namespace: kind.namespaced ? of.namespace : undefined, name: owner.name };
    const found = await read(at, owner.uid, signal);
    if (!found) return 'absent';
    const isWaiting =
      found.metadata.deletionTimestamp !== undefined && found.metadata.finalizers?.includes(foregroundFinalizer);
    return isWaiting ? 'waiting' : 'here';
  }

  /** An object in the foreground goes when nothing that blocks it is left. */
  async function letGo(node: GraphNode, at: Coordinates, signal: AbortSignal): Promise<Next> {
    const blocking = graph.blocking(node.uid);
    if (blocking.length > 0) {
      for (const dependent of blocking) if (!dependent.isLeaving) queue.enqueue(dependent.uid);
      return done;
    }
    return withoutFinalizer(node, at, foregroundFinalizer, signal);
  }

  async function leaveOrphans(node: GraphNode, at: Coordinates, signal: AbortSignal): Promise<Next> {
    for (const dependent of graph.dependents(node.uid)) {
      const object = dependent.at && (await read(dependent.at, dependent.uid, signal));
      if (dependent.at && object) await writeOwners(dependent.at, object, (owner) => owner.uid !== node.uid, signal);
    }
    return withoutFinalizer(node, at, orphanFinalizer, signal);
  }

  async function withoutFinalizer(
    node: GraphNode,
    at: Coordinates,
    finalizer: string,
    signal: AbortSignal,
  ): Promise<Next> {
    const object = await read(at, node.uid, signal);
    const finalizers = object?.metadata.finalizers ?? [];
    if (!object || !finalizers.includes(finalizer)) return done;
    await patch(at, object, { finalizers: finalizers.filter((one) => one !== finalizer) }, signal);
    return done;
  }

  async function writeOwners(
    at: Coordinates,
    object: KubeObject,
    keep: (owner: OwnerReference) => boolean,
    signal: AbortSignal,
  ) {
    const before = object.metadata.ownerReferences ?? [];
    const ownerReferences = before.filter(keep);
    if (ownerReferences.length < before.length) await patch(at, object, { ownerReferences }, signal);
  }

  /** Guarded by the version that was read, since the list is written as a whole. */
  async function patch(
    { of, namespace, name }: Coordinates,
    object: KubeObject,
    metadata: object,
    signal: AbortSignal,
  ) {
    const { resourceVersion } = object.metadata;
    try {
      await api.patch(
        of,
        { namespace, name },
        'merge',
        JSON.stringify({ metadata: { ...metadata, resourceVersion } }),
        { signal },
      );
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
    }
  }

  async function remove(
    { of, namespace, name }: Coordinates,
    uid: string,
    object: KubeObject,
    how: 'Background' | 'Foreground' | 'Orphan',
    signal: AbortSignal,
  ) {
    const { resourceVersion = '' } = object.metadata;
    try {
      // Also guarded by the version: an owner may have been added since.
      await api.delete(of, { namespace, name }, { uid, resourceVersion, propagationPolicy: how, signal });
      log.debug('object without owners deleted', { resource: of.resource, name, namespace });
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
    }
  }

  /** The object as the API has it now, if it is still the same one. */
  async function read(
    { of, namespace, name }: Coordinates,
    uid: string,
    signal: AbortSignal,
  ): Promise<KubeObject | undefined> {
    try {
      const object = await api.get(of, { namespace, name }, { signal });
      return object.metadata.uid === uid ? object : undefined;
    } catch (error) {
      if (isStatus(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  return {
    name: 'garbagecollector',
    async start(scope) {
      await monitors.start(scope);
      queue.start(scope);
    },
  };
}

/** A reference names no namespace: it means the dependent's own, or none. */
const isVisibleFrom = (owner: Coordinates, dependent: Coordinates): boolean =>
  owner.namespace === undefined || owner.namespace === dependent.namespace;

const sameLinks = (a: GraphNode, b: GraphNode): boolean =>
  a.isLeaving === b.isLeaving &&
  a.waitsForDependents === b.waitsForDependents &&
  a.leavesOrphans === b.leavesOrphans &&
  a.owners.length === b.owners.length &&
  a.owners.every(
    (owner, at) => owner.uid === b.owners[at]!.uid && owner.blockOwnerDeletion === b.owners[at]!.blockOwnerDeletion,
  );
