// Empties namespaces that are being deleted, whatever is in them, and then lets them go.
import { again, done, type Next } from '@kedge/core/control';
import { explain } from '@kedge/core/errors';
import type { Module } from '@kedge/core/module';
import { type Duration, milliseconds, seconds } from '@kedge/core/time';
import { collections, type DiscoveredResource, discoverResources } from '@kedge/engine/kube-client';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import type { Namespace } from '@kedge/model/k8s-types';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { writeStatus } from '../runtime/status-patch.ts';
import { type Emptying, namespaceConditions } from './namespace-conditions.ts';

const finalizer = 'kubernetes';
/** Deletions of one kind that are under way at once. */
const parallelDeletes = 20;

interface Emptied extends Emptying {
  /** The longest time a pod may still take to stop. */
  readonly patience: Duration;
}

export function createNamespaceController(deps: ControllerDeps): Module {
  const { api, cluster, clock, log } = deps;
  const namespaces = cluster.of(collections.namespaces);

  async function reconcile(name: string, signal: AbortSignal): Promise<Next> {
    const namespace = namespaces.get(name);
    if (!namespace?.metadata.deletionTimestamp || !namespace.spec?.finalizers?.includes(finalizer)) return done;
    const emptied = await empty(name, signal);
    const conditions = namespaceConditions(namespace.status?.conditions ?? [], emptied, clock.now());
    const status = { ...namespace.status, phase: 'Terminating', conditions };
    try {
      await writeStatus(api, collections.namespaces, namespace, status, { signal });
      if (!isEmpty(emptied)) return again(emptied.patience, 'content is on its way out');
      await finalize(name, namespace, signal);
      log.info('namespace emptied', { namespace: name });
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
    }
    return done;
  }

  async function empty(namespace: string, signal: AbortSignal): Promise<Emptied> {
    const { resources, failed } = await discoverResources(api, signal);
    const failures: string[] = [];
    const remaining = new Map<string, number>();
    const finalizers = new Map<string, number>();
    let patience: Duration = seconds(1);
    for (const resource of resources.filter(holdsContent)) {
      const left = await emptyOne(resource, namespace, failures, signal);
      if (left.length > 0) remaining.set(`${resource.resource}.${resource.group}`, left.length);
      for (const object of left) {
        for (const one of object.metadata.finalizers ?? []) finalizers.set(one, (finalizers.get(one) ?? 0) + 1);
        if (object.kind === 'Pod') patience = milliseconds(Math.max(patience, stopTime(object) / 2 + 1_000));
      }
    }
    const undiscovered = failed.map(({ groupVersion, problem }) => `${groupVersion}: ${problem}`);
    return { undiscovered, failures, remaining, finalizers, patience };
  }

  /** Deletes the objects of one kind; returns those that are still there afterwards. */
  async function emptyOne(
    of: DiscoveredResource,
    namespace: string,
    failures: string[],
    signal: AbortSignal,
  ): Promise<readonly KubeObject[]> {
    try {
      const { items } = await api.list(of, { namespace }, { signal });
      if (items.length === 0) return items;
      const doomed = items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      for (let at = 0; at < doomed.length; at += parallelDeletes) {
        await Promise.all(
          doomed.slice(at, at + parallelDeletes).map((object) => deleteOne(of, object, failures, signal)),
        );
      }
      return (await api.list(of, { namespace }, { signal })).items;
    } catch (error) {
      if (signal.aborted) throw error;
      // The kind may have gone since discovery, as when its CustomResourceDefinition was deleted.
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'MethodNotAllowed'))
        failures.push(`${of.resource}: ${explain(error)}`);
      return [];
    }
  }

  async function deleteOne(of: DiscoveredResource, { metadata }: KubeObject, failures: string[], signal: AbortSignal) {
    const { namespace, name = '' } = metadata;
    try {
      await api.delete(of, { namespace, name }, { propagationPolicy: 'Background', signal });
    } catch (error) {
      if (!isStatus(error, 'NotFound')) failures.push(`${of.resource} ${name}: ${explain(error)}`);
    }
  }

  /** Takes our finalizer away on the version the server has now; others may have written theirs meanwhile. */
  async function finalize(name: string, { metadata }: Namespace, signal: AbortSignal): Promise<void> {
    const fresh = (await api.get(collections.namespaces, { name }, { signal })) as Namespace;
    if (fresh.metadata.uid !== metadata.uid) return;
    const finalizers = (fresh.spec?.finalizers ?? []).filter((one) => one !== finalizer);
    await api.update(
      collections.namespaces,
      { ...fresh, spec: { ...fresh.spec, finalizers } },
      { subresource: 'finalize', signal },
    );
  }

  return createController(deps, {
    name: 'namespace',
    parallel: 5,
    reads: [namespaces],
    watch: (queue) => [
      namespaces.listen({ onPut: ({ metadata }) => queue.enqueue(metadata.name ?? '') }),
      // What an emptied namespace waits for longest is its pods.
      cluster.pods.listen({
        onDelete({ metadata: { namespace = '' } }) {
          if (namespaces.get(namespace)?.metadata.deletionTimestamp) queue.enqueue(namespace);
        },
      }),
    ],
    reconcile,
  });
}

const holdsContent = ({ namespaced, verbs }: DiscoveredResource): boolean =>
  namespaced && verbs.includes('list') && verbs.includes('delete');

const isEmpty = ({ undiscovered, failures, remaining }: Emptying): boolean =>
  undiscovered.length === 0 && failures.length === 0 && remaining.size === 0;

const stopTime = ({ metadata }: KubeObject): number => (metadata.deletionGracePeriodSeconds ?? 0) * 1_000;
