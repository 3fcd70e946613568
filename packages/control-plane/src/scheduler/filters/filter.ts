// What a filter is: a reason why a pod cannot run on a node, and what kind of change could make the reason go away.
import type { NodeFacts } from '../state/node-facts.ts';
import type { PodFacts } from '../state/pod-facts.ts';

/** Changes in the cluster that may make room for a pod. */
export type ClusterChange = 'node' | 'pod-gone' | 'pod-placed' | 'pod-relabelled';

export interface ClusterFacts {
  readonly nodes: readonly NodeFacts[];
  /** Placed pods with required anti-affinity, wherever they are. */
  readonly repelling: ReadonlySet<PodFacts>;
  readonly nodeOf: (podKey: string) => NodeFacts | undefined;
  readonly namespaceLabels: (namespace: string) => Readonly<Record<string, string>>;
}

/** Why a node is out of the question; empty when it is not. */
export type Verdict = readonly string[];
export type NodeFilter = (node: NodeFacts) => Verdict;

export interface Filter {
  readonly name: string;
  readonly helpedBy: readonly ClusterChange[];
  /** True when removing lower-priority pods from the node could change the verdict. */
  readonly isAboutPods: boolean;
  /** What depends on the pod and the whole cluster is computed here, once; undefined when the filter does not concern the pod. */
  readonly prepare: (pod: PodFacts, cluster: ClusterFacts) => NodeFilter | undefined;
}

export const passes: Verdict = [];
export const verdict = (isOk: boolean, reason: string): Verdict => (isOk ? passes : [reason]);
