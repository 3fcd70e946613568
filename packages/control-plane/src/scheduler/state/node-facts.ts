// A node and what is already placed on it.
import { type Amounts, amountsOf } from '@kedge/model/k8s-scheduling';
import type { Node } from '@kedge/model/k8s-types';
import { type PodFacts, sumAmounts } from './pod-facts.ts';

export interface NodeFacts {
  readonly name: string;
  readonly node: Node;
  readonly labels: Readonly<Record<string, string>>;
  readonly allocatable: Amounts;
  readonly pods: ReadonlyMap<string, PodFacts>;
  readonly requested: Amounts;
  readonly scoredRequested: Amounts;
}

/** Facts are replaced, never changed: a decision that holds some sees one moment. */
export function nodeFacts(node: Node, pods: ReadonlyMap<string, PodFacts>): NodeFacts {
  return {
    name: node.metadata.name ?? '',
    node,
    labels: node.metadata.labels ?? {},
    allocatable: amountsOf(node.status?.allocatable ?? node.status?.capacity),
    pods,
    requested: sumAmounts(pods.values(), ({ requests }) => requests),
    scoredRequested: sumAmounts(pods.values(), ({ scoredRequests }) => scoredRequests),
  };
}
