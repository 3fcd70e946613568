// The one owner that manages an object, as written in its ownerReferences.
import type { ObjectMeta, OwnerReference } from '@kedge/model/k8s';

export const controllerOf = ({ metadata }: { readonly metadata: ObjectMeta }): OwnerReference | undefined =>
  metadata.ownerReferences?.find(({ controller }) => controller === true);

/** The reference an object carries that `owner` created or adopted. */
export const controllerRef = (
  { apiVersion, kind }: { readonly apiVersion: string; readonly kind: string },
  { metadata }: { readonly metadata: ObjectMeta },
): OwnerReference => ({
  apiVersion,
  kind,
  name: metadata.name ?? '',
  uid: metadata.uid ?? '',
  controller: true,
  blockOwnerDeletion: true,
});

/** Key (`namespace/name`) of the controlling owner if it is of this kind. */
export function controllerKey(
  object: { readonly metadata: ObjectMeta },
  { apiVersion, kind }: { readonly apiVersion: string; readonly kind: string },
): string | undefined {
  const owner = controllerOf(object);
  if (owner?.kind !== kind || owner.apiVersion !== apiVersion) return undefined;
  return `${object.metadata.namespace}/${owner.name}`;
}
