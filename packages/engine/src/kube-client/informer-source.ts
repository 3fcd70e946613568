// Feeds an informer from a KubeApi, without the parts of objects that no controller reads.
import type { Change, ListWatch } from '@kedge/core/control';
import type { GroupVersionResource, KubeObject } from '@kedge/model/k8s';
import type { KubeApi, Selection } from './kube-api.ts';

/** What to keep of an object before it goes into a copy that lives as long as the process. */
export type Trim = (object: KubeObject) => KubeObject;

/** Drops managedFields: often half of an object, and only the API server's business. */
export function withoutManagedFields(object: KubeObject): KubeObject {
  if (object.metadata.managedFields === undefined) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** Keeps what the ownership graph needs: kind, name, owners, finalizers and deletion. */
export function onlyMetadata({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, deletionTimestamp, ownerReferences, finalizers } = metadata;
  return {
    ...(apiVersion === undefined ? {} : { apiVersion }),
    ...(kind === undefined ? {} : { kind }),
    metadata: {
      ...(name === undefined ? {} : { name }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
      ...(finalizers === undefined ? {} : { finalizers }),
    },
  };
}

export function informerSource(
  api: KubeApi,
  of: GroupVersionResource,
  selection: Selection = {},
  trim: Trim = withoutManagedFields,
): ListWatch<KubeObject> {
  return {
    async list(signal) {
      const { items, resourceVersion } = await api.list(of, selection, { signal });
      return { items: items.map(trim), resourceVersion };
    },
    async *watch(resourceVersion, signal) {
      for await (const change of api.watch(of, selection, resourceVersion, signal)) yield trimmed(change, trim);
    },
  };
}

function trimmed(change: Change<KubeObject>, trim: Trim): Change<KubeObject> {
  if (change.type === 'bookmark' || change.type === 'expired') return change;
  return { ...change, object: trim(change.object) };
}
