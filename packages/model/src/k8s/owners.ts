// Owner references: who made an object, and with whom it goes.
import type { KubeObject, ObjectMeta, OwnerReference } from './object.ts';

type Owned = { readonly metadata: ObjectMeta };

/** The reference with which a controller marks what it makes. */
export function controllerReference(owner: KubeObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion ?? '',
    kind: owner.kind ?? '',
    name: owner.metadata.name ?? '',
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

export const controllerOf = ({ metadata }: Owned): OwnerReference | undefined =>
  metadata.ownerReferences?.find(({ controller }) => controller === true);

/** Compares by uid: a namesake that was created later is another owner. */
export const isControlledBy = (object: Owned, owner: Owned): boolean =>
  owner.metadata.uid !== undefined && controllerOf(object)?.uid === owner.metadata.uid;

export const isOwnedBy = ({ metadata }: Owned, ownerUid: string): boolean =>
  metadata.ownerReferences?.some(({ uid }) => uid === ownerUid) ?? false;
