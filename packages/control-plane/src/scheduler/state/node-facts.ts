// A node and what is already placed on it.
import type { Amounts } from '@kedge/model/k8s-scheduling';
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
