// Who takes a volume claim along when it goes: nobody, the set, or a pod that a smaller set gives up. Pure; the garbage
// collector does the rest.
import { collections } from '@kedge/engine/kube-client';
import type { OwnerReference } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';
import type { PersistentVolumeClaim, Pod, StatefulSet } from '@kedge/model/k8s-types';
import { podName } from './stateful-pod.ts';

/** `surplus` is the pod, when it is one that the set is giving up. */
function wantedOwner(set: StatefulSet, surplus: Pod | undefined): OwnerReference | undefined {
  const { whenDeleted, whenScaled } = set.spec?.persistentVolumeClaimRetentionPolicy ?? {};
  if (surplus && whenScaled === 'Delete') return reference(collections.pods, surplus);
  return whenDeleted === 'Delete' ? reference(collections.statefulSets, set) : undefined;
}

const reference = (
  { apiVersion, kind }: { apiVersion: string; kind: string },
  { metadata: { name = '', uid = '' } }: StatefulSet | Pod,
): OwnerReference => ({ apiVersion, kind, name, uid });

/** The owners a claim is to have; undefined when it has them. */
export function planClaimOwners(
  set: StatefulSet,
  ordinal: number,
  claim: Pick<PersistentVolumeClaim, 'metadata'>,
  surplus?: Pod,
): OwnerReference[] | undefined {
  const before = claim.metadata.ownerReferences ?? [];
  const isOurs = ({ uid, kind, name }: OwnerReference): boolean =>
    uid === set.metadata.uid || (kind === 'Pod' && name === podName(set, ordinal));
  const owner = wantedOwner(set, surplus);
  const after = [...before.filter((one) => !isOurs(one)), ...(owner ? [owner] : [])];
  return jsonEqual(before, after) ? undefined : after;
}
