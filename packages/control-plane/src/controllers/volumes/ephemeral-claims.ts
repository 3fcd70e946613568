// Makes the claims of pods that bring a claim along for as long as they live.
import { done, type Next } from '@kedge/core/control';
import { explain } from '@kedge/core/errors';
import type { Module } from '@kedge/core/module';
import { collections } from '@kedge/engine/kube-client';
import { isStatus, objectKey } from '@kedge/model/k8s';
import type { Pod } from '@kedge/model/k8s-types';
import { controllerOf, controllerRef } from '../ownership/controller-ref.ts';
import { isActive } from '../pods/pod-state.ts';
import { type ControllerDeps, createController } from '../runtime/controller.ts';

const { persistentVolumeClaims, pods } = collections;

export function createEphemeralClaims(deps: ControllerDeps): Module {
  const { api, cluster } = deps;
  const events = deps.events('ephemeral_volume');
  const claims = cluster.of(persistentVolumeClaims);

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const pod = cluster.pods.get(key);
    if (!pod || !isActive(pod)) return done;
    const { namespace, name: podName = '', uid } = pod.metadata;
    for (const { name: volume, ephemeral } of pod.spec?.volumes ?? []) {
      const template = ephemeral?.volumeClaimTemplate;
      if (!template) continue;
      const name = `${podName}-${volume}`;
      const known = claims.get(`${namespace}/${name}`);
      if (known) {
        if (controllerOf(known)?.uid === uid) continue;
        const why = `PVC ${namespace}/${name} was not created for pod ${key} (pod is not owner)`;
        events.warning(pod, 'EphemeralVolumeCreationFailed', why);
        continue;
      }
      const { labels, annotations } = template.metadata ?? {};
      const claim = {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: {
          name,
          ...(labels ? { labels } : {}),
          ...(annotations ? { annotations } : {}),
          ownerReferences: [controllerRef(pods, pod)],
        },
        spec: template.spec,
      };
      try {
        await api.create(persistentVolumeClaims, namespace, claim, { signal });
      } catch (error) {
        if (isStatus(error, 'AlreadyExists')) continue;
        events.warning(pod, 'EphemeralVolumeCreationFailed', `ephemeral volume controller failed: ${explain(error)}`);
        throw error;
      }
    }
    return done;
  }

  return createController(deps, {
    name: 'ephemeral-volume',
    reads: [cluster.pods, claims],
    watch: (queue) => [
      cluster.pods.listen({
        onPut(pod: Pod, before) {
          const isNew = before?.metadata.uid !== pod.metadata.uid;
          if (isNew && pod.spec?.volumes?.some(({ ephemeral }) => ephemeral)) queue.enqueue(objectKey(pod));
        },
      }),
    ],
    reconcile,
  });
}
