// Keeps claims that pods use, and volumes that are bound, from being deleted: a finalizer that goes when nobody needs them.
import { done, type Next } from '@kedge/core/control';
import type { Module } from '@kedge/core/module';
import { type Collection, collections } from '@kedge/engine/kube-client';
import { isStatus, type KubeObject, objectKey } from '@kedge/model/k8s';
import { claimNames } from '@kedge/model/k8s-scheduling';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '@kedge/model/k8s-types';
import { type ControllerDeps, createController } from '../runtime/controller.ts';

const { persistentVolumeClaims, persistentVolumes, pods } = collections;
const claimFinalizer = 'kubernetes.io/pvc-protection';
const volumeFinalizer = 'kubernetes.io/pv-protection';

/** A pod that is not placed will not be: no node starts a pod whose claim is on its way out. */
const uses = (pod: Pod, claim: string): boolean => Boolean(pod.spec?.nodeName) && claimNames(pod).includes(claim);

export function createClaimProtection(deps: ControllerDeps): Module {
  const { api, cluster } = deps;
  const claims = cluster.of(persistentVolumeClaims);

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const claim = claims.get(key);
    if (!claim) return done;
    const { namespace = '', name = '', deletionTimestamp } = claim.metadata;
    if (deletionTimestamp === undefined) return protect(deps, persistentVolumeClaims, claim, claimFinalizer, signal);
    if (!claim.metadata.finalizers?.includes(claimFinalizer)) return done;
    if ([...cluster.podsByNamespace.get(namespace)].some((pod) => uses(pod, name))) return done;
    // The copy may be behind, and what is deleted stays deleted.
    const { items } = await api.list(pods, { namespace }, { signal });
    if (items.some((pod) => uses(pod as unknown as Pod, name))) return done;
    return release(deps, persistentVolumeClaims, claim, claimFinalizer, signal);
  }

  return createController(deps, {
    name: 'pvc-protection',
    reads: [claims, cluster.pods],
    watch: (queue) => {
      const wake = (pod: Pod): void => {
        for (const name of claimNames(pod)) {
          const key = `${pod.metadata.namespace}/${name}`;
          if (claims.get(key)?.metadata.deletionTimestamp !== undefined) queue.enqueue(key);
        }
      };
      return [
        claims.listen({ onPut: (claim) => queue.enqueue(objectKey(claim)) }),
        cluster.pods.listen({ onDelete: wake }),
      ];
    },
    reconcile,
  });
}

export function createVolumeProtection(deps: ControllerDeps): Module {
  const volumes = deps.cluster.of(persistentVolumes);

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const volume: PersistentVolume | undefined = volumes.get(key);
    if (!volume) return done;
    if (volume.metadata.deletionTimestamp === undefined)
      return protect(deps, persistentVolumes, volume, volumeFinalizer, signal);
    const isHeld = volume.metadata.finalizers?.includes(volumeFinalizer) ?? false;
    if (!isHeld || volume.status?.phase === 'Bound') return done;
    return release(deps, persistentVolumes, volume, volumeFinalizer, signal);
  }

  return createController(deps, {
    name: 'pv-protection',
    reads: [volumes],
    watch: (queue) => [volumes.listen({ onPut: (volume) => queue.enqueue(objectKey(volume)) })],
    reconcile,
  });
}

type Protected = PersistentVolume | PersistentVolumeClaim;

async function protect<T extends Protected>(
  deps: Pick<ControllerDeps, 'api'>,
  of: Collection<T & KubeObject>,
  object: Protected,
  finalizer: string,
  signal: AbortSignal,
): Promise<Next> {
  const { finalizers = [] } = object.metadata;
  return finalizers.includes(finalizer) ? done : writeFinalizers(deps, of, object, [...finalizers, finalizer], signal);
}

const release = async <T extends Protected>(
  deps: Pick<ControllerDeps, 'api'>,
  of: Collection<T & KubeObject>,
  object: Protected,
  finalizer: string,
  signal: AbortSignal,
): Promise<Next> => {
  const left = (object.metadata.finalizers ?? []).filter((one) => one !== finalizer);
  return writeFinalizers(deps, of, object, left, signal);
};

async function writeFinalizers<T extends Protected>(
  { api }: Pick<ControllerDeps, 'api'>,
  of: Collection<T & KubeObject>,
  { metadata }: Protected,
  finalizers: readonly string[],
  signal: AbortSignal,
): Promise<Next> {
  const { namespace, name = '', resourceVersion, uid } = metadata;
  const patch = JSON.stringify({ metadata: { uid, resourceVersion, finalizers } });
  try {
    await api.patch(of, { namespace, name }, 'merge', patch, { signal });
  } catch (error) {
    // Changed or gone meanwhile: the change wakes us.
    if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
  }
  return done;
}
