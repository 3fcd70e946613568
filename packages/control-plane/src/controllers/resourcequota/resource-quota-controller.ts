// Counts what a namespace uses of its quotas. Admission adds to the count; here it is made anew when something goes.
import { again, done, type Next } from '@kedge/core/control';
import type { Module } from '@kedge/core/module';
import { minutes } from '@kedge/core/time';
import { collections, discoverResources } from '@kedge/engine/kube-client';
import { type GroupVersionResource, isStatus, type KubeObject, objectKey } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';
import { addQuantities, formatQuantity, zeroQuantity } from '@kedge/model/k8s-quantity';
import { quotaCovers, quotaUsage } from '@kedge/model/k8s-quota';
import { builtinResources } from '@kedge/model/k8s-resources';
import type { Pod, ResourceQuota } from '@kedge/model/k8s-types';
import { isTerminal } from '../pods/pod-state.ts';
import { type ControllerDeps, createController } from '../runtime/controller.ts';

const { persistentVolumeClaims, pods, resourceQuotas, services } = collections;
/** Deletions of kinds that are not watched show after this. */
const recount = minutes(1);

export function createResourceQuotaController(deps: ControllerDeps): Module {
  const { api, cluster } = deps;
  const copy = cluster.of(resourceQuotas);
  const quotasByNamespace = cluster.byNamespace(resourceQuotas);
  const watched = [cluster.of(services), cluster.of(persistentVolumeClaims)];

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const quota = copy.get(key);
    if (!quota || quota.metadata.deletionTimestamp !== undefined) return done;
    const hard = quota.spec?.hard ?? {};
    const status = { hard, used: await usedOf(quota, Object.keys(hard), signal) };
    if (!jsonEqual(quota.status, status)) {
      const { apiVersion, kind } = resourceQuotas;
      try {
        // With its version: what admission has charged meanwhile must not be lost.
        await api.update(resourceQuotas, { ...quota, apiVersion, kind, status }, { subresource: 'status', signal });
      } catch (error) {
        if (!isStatus(error, 'NotFound')) throw error;
      }
    }
    return again(recount, 'what is not watched may have gone');
  }

  async function usedOf(
    quota: ResourceQuota,
    limited: readonly string[],
    signal: AbortSignal,
  ): Promise<Record<string, string>> {
    const { kinds, unknown } = await countedKinds(limited, () => custom(signal));
    const sums = new Map(limited.filter((name) => !unknown.has(name)).map((name) => [name, zeroQuantity]));
    const { namespace } = quota.metadata;
    for (const of of kinds) {
      for (const object of (await api.list(of, { namespace }, { signal })).items) {
        if (!quotaCovers(quota, of, object)) continue;
        for (const [name, amount] of quotaUsage(of, object)) {
          const sum = sums.get(name);
          if (sum) sums.set(name, addQuantities(sum, amount));
        }
      }
    }
    return Object.fromEntries([...sums].map(([name, sum]) => [name, formatQuantity(sum)]));
  }

  /** Kinds that definitions or other servers add. */
  const custom = async (signal: AbortSignal): Promise<readonly GroupVersionResource[]> =>
    (await discoverResources(api, signal)).resources.filter(
      ({ namespaced, verbs }) => namespaced && verbs.includes('list'),
    );

  return createController(deps, {
    name: 'resourcequota',
    reads: [copy, cluster.pods, ...watched],
    watch: (queue) => {
      const wake = ({ metadata }: KubeObject | Pod) => {
        for (const quota of quotasByNamespace.get(metadata.namespace ?? '')) queue.enqueue(objectKey(quota));
      };
      return [
        copy.listen({
          onPut(quota, before) {
            // Not by our own writes, nor by charges.
            if (!before || !jsonEqual(before.spec, quota.spec)) queue.enqueue(objectKey(quota));
          },
        }),
        cluster.pods.listen({
          onPut(pod, before) {
            if (before && !isTerminal(before) && isTerminal(pod)) wake(pod);
          },
          onDelete: wake,
        }),
        ...watched.map((informer) =>
          informer.listen({ onDelete: (object: { metadata: Pod['metadata'] }) => wake(object) }),
        ),
      ];
    },
    reconcile,
  });
}

/** The kinds that the names in a quota are about; `discover` is asked only for those that are not built in. What nobody
 * serves is not counted. */
async function countedKinds(
  limited: readonly string[],
  discover: () => Promise<readonly GroupVersionResource[]>,
): Promise<{ kinds: readonly GroupVersionResource[]; unknown: ReadonlySet<string> }> {
  const kinds = new Map<string, GroupVersionResource>();
  const add = (of: GroupVersionResource): void => void kinds.set(`${of.resource}.${of.group}`, of);
  /** By the names of quotas, until they are found. */
  const unknown = new Set<string>();
  for (const name of limited) {
    const [, counted] = /^count\/(.+)$/.exec(name) ?? [];
    const [resource = name, ...rest] = (counted ?? name).split('.');
    const group = rest.join('.');
    const known = builtinResources.find(
      (one) => one.resource === resource && one.group === (counted === undefined ? '' : group),
    );
    if (known) add(known);
    else if (counted !== undefined) unknown.add(name);
    else if (name.includes('storage') && !name.includes('ephemeral')) add(persistentVolumeClaims);
    else if (name.includes('/persistentvolumeclaims')) add(persistentVolumeClaims);
    else add(name.startsWith('services.') ? services : pods);
  }
  for (const of of unknown.size > 0 ? await discover() : []) {
    if (unknown.delete(`count/${of.group ? `${of.resource}.${of.group}` : of.resource}`)) add(of);
  }
  return { kinds: [...kinds.values()], unknown };
}
