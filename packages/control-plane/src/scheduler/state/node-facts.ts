// A node and what is already placed on it.
import { addAmounts, type Amounts, subtractAmounts } from '@kedge/model/k8s-scheduling';
import type { Node } from '@kedge/model/k8s-types';
import type { PodFacts } from './pod-facts.ts';

/** One moment of a node: the sums are replaced with every change; `pods` is live, so use it before the next await. */
export interface NodeFacts {
  readonly name: string;
  readonly node: Node;
  readonly labels: Readonly<Record<string, string>>;
  readonly allocatable: Amounts;
  readonly pods: ReadonlyMap<string, PodFacts>;
  readonly requested: Amounts;
  readonly scoredRequested: Amounts;
}

/** The node as it would be without the pod. */
export function withoutPod(node: NodeFacts, { key, requests, scoredRequests }: PodFacts): NodeFacts {
  return {
    ...node,
    pods: new Map([...node.pods].filter(([other]) => other !== key)),
    requested: subtractAmounts(node.requested, requests),
    scoredRequested: subtractAmounts(node.scoredRequested, scoredRequests),
  };
}

/** The node as it would be with the pod. */
export function withPod(node: NodeFacts, pod: PodFacts): NodeFacts {
  return {
    ...node,
    pods: new Map([...node.pods, [pod.key, pod]]),
    requested: addAmounts(node.requested, pod.requests),
    scoredRequested: addAmounts(node.scoredRequested, pod.scoredRequests),
  };
}
