// Objects that every namespace has to have.
import type { KubeApi } from '@kedge/engine/kube-client';
import { type GroupVersionResource, isStatus, type KubeObject } from '@kedge/model/k8s';
import type { Namespace } from '@kedge/model/k8s-types';

export const isActiveNamespace = (namespace: Namespace | undefined): namespace is Namespace =>
  namespace !== undefined &&
  namespace.metadata.deletionTimestamp === undefined &&
  namespace.status?.phase !== 'Terminating';

/** Creates the object; it being there already, or its namespace going away meanwhile, is as good. */
export async function ensureInNamespace(
  api: KubeApi,
  of: GroupVersionResource,
  object: KubeObject,
  signal: AbortSignal,
): Promise<void> {
  try {
    await api.create(of, object.metadata.namespace, object, { signal });
  } catch (error) {
    if (isStatus(error, 'AlreadyExists') || isStatus(error, 'NotFound')) return;
    const causes = isStatus(error, 'Forbidden') ? (error.status.details?.causes ?? []) : [];
    if (!causes.some(({ reason }) => reason === 'NamespaceTerminating')) throw error;
  }
}
