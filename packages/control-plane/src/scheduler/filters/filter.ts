// What a filter is: a reason why a pod cannot run on a node, and what kind of change could make the reason go away.
import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from '@kedge/model/k8s-types';
import type { NodeFacts } from '../state/node-facts.ts';
import type { PodFacts } from '../state/pod-facts.ts';

/** Changes in the cluster that may make room for a pod. */
export type ClusterChange = 'node' | 'pod-gone' | 'pod-placed' | 'pod-relabelled' | 'volume';

/** What pods' claims lead to. */
export interface VolumeFacts {
  readonly claim: (namespace: string, name: string) => PersistentVolumeClaim | undefined;
  readonly volume: (name: string) => PersistentVolume | undefined;
  readonly volumes: () => Iterable<PersistentVolume>;
  readonly storageClass: (name: string) => StorageClass | undefined;
  /** Which storage drivers a node has, and how many volumes of each it can have. */
  readonly csiNode: (node: string) => CSINode | undefined;
  readonly csiDriver: (name: string) => CSIDriver | undefined;
  /** What drivers that count say they still have room for. */
  readonly capacities: () => Iterable<CSIStorageCapacity>;
}

export interface ClusterFacts {
  readonly nodes: readonly NodeFacts[];
  /** Placed pods with required anti-affinity, wherever they are. */
  readonly repelling: ReadonlySet<PodFacts>;
  readonly nodeOf: (podKey: string) => NodeFacts | undefined;
  readonly namespaceLabels: (namespace: string) => Readonly<Record<string, string>>;
  readonly storage: VolumeFacts;
  /** Pods that others have left a node for, and which are not there yet; by node. */
  readonly nominated: ReadonlyMap<string, readonly PodFacts[]>;
}

/** Why a node is out of the question; no reasons when it is not. */
export interface Verdict {
  readonly reasons: readonly string[];
  /** True when no pod that leaves the node could change it. */
  readonly isFinal: boolean;
}
export type NodeFilter = (node: NodeFacts) => Verdict;

export interface Filter {
  readonly name: string;
  readonly helpedBy: readonly ClusterChange[];
  /** What depends on the pod and the whole cluster is computed here, once; undefined when the filter does not concern the pod. */
  readonly prepare: (pod: PodFacts, cluster: ClusterFacts) => NodeFilter | Hopeless | undefined;
  /** The only nodes that the pod names, where it does: the others are not looked at. */
  readonly narrow?: (pod: PodFacts) => ReadonlySet<string> | undefined;
}

/** What no node can change: said once for the pod, not for each node. */
export interface Hopeless {
  readonly message: string;
}

export const isHopeless = (check: NodeFilter | Hopeless | undefined): check is Hopeless => typeof check === 'object';

export const passes: Verdict = { reasons: [], isFinal: false };
/** Others may have to leave for it. */
export const refuse = (...reasons: readonly string[]): Verdict => ({ reasons, isFinal: false });
export const refuseForGood = (...reasons: readonly string[]): Verdict => ({ reasons, isFinal: true });
