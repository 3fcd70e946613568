// reliablesyncs.kubeedge.io: what an edge node is known to have of an object. Shape of KubeEdge v1.22.
import type { GroupVersionResource, ObjectMeta } from '../k8s/index.ts';

interface SyncSpec {
  objectAPIVersion?: string;
  objectKind?: string;
  objectName?: string;
}

/** Named `<node>.<uid of the object>`, in the object's namespace. */
export type ObjectSync = {
  apiVersion: 'reliablesyncs.kubeedge.io/v1alpha1';
  kind: 'ObjectSync' | 'ClusterObjectSync';
  metadata: ObjectMeta;
  spec?: SyncSpec;
  /** `"0"` until the node has acknowledged a first version. */
  status?: { objectResourceVersion?: string };
};

export const objectSyncs: GroupVersionResource = {
  group: 'reliablesyncs.kubeedge.io',
  version: 'v1alpha1',
  resource: 'objectsyncs',
};

/** For objects without a namespace. */
export const clusterObjectSyncs: GroupVersionResource = { ...objectSyncs, resource: 'clusterobjectsyncs' };
