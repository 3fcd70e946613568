// Which lower-priority pods would have to go, and from which node, for a pod that fits nowhere. Pure.
import { addAmounts, subtractAmounts } from '@kedge/model/k8s-scheduling';
import { filterNodes, type Refusal } from './choose-node.ts';
import type { ClusterFacts } from './filters/filter.ts';
import type { NodeFacts } from './state/node-facts.ts';
import type { PodFacts } from './state/pod-facts.ts';

export interface Preemption {
  readonly node: string;
  readonly victims: readonly PodFacts[];
}

/** Nodes that are tried; in a large cluster some node among these will do as well as any. */
const maxNodes = 100;

export function planPreemption(
  pod: PodFacts,
  cluster: ClusterFacts,
  refusals: readonly Refusal[],
): Preemption | undefined {
  if (pod.pod.spec?.preemptionPolicy === 'Never') return undefined;
  const promising = refusals.filter(({ filter }) => filter.isAboutPods).slice(0, maxNodes);
  const options = promising.flatMap(({ node }) => {
    const victims = victimsOn(node, pod, cluster);
    return victims ? [{ node: node.name, victims }] : [];
  });
  return options.toSorted(mildestFirst)[0];
}

/** The fewest pods that have to leave the node; undefined when even all of lower priority are not enough. */
function victimsOn(node: NodeFacts, pod: PodFacts, cluster: ClusterFacts): PodFacts[] | undefined {
  const lower = [...node.pods.values()].filter(({ priority }) => priority < pod.priority);
  if (lower.length === 0) return undefined;
  let trial = lower.reduce(without, node);
  if (!fits(pod, node, trial, cluster)) return undefined;
  const victims: PodFacts[] = [];
  // The most important ones are the first that may stay after all.
  for (const other of lower.toSorted((a, b) => b.priority - a.priority)) {
    const kinder = withPod(trial, other);
    if (fits(pod, node, kinder, cluster)) trial = kinder;
    else victims.push(other);
  }
  return victims;
}

function fits(pod: PodFacts, node: NodeFacts, trial: NodeFacts, cluster: ClusterFacts): boolean {
  const nodes = cluster.nodes.map((one) => (one === node ? trial : one));
  const isThere = (other: PodFacts) => !node.pods.has(other.key) || trial.pods.has(other.key);
  const repelling = new Set([...cluster.repelling].filter(isThere));
  return filterNodes(pod, { ...cluster, nodes, repelling }).possible.includes(trial);
}

function without(node: NodeFacts, { key, requests, scoredRequests }: PodFacts): NodeFacts {
  return {
    ...node,
    pods: new Map([...node.pods].filter(([other]) => other !== key)),
    requested: subtractAmounts(node.requested, requests),
    scoredRequested: subtractAmounts(node.scoredRequested, scoredRequests),
  };
}

function withPod(node: NodeFacts, pod: PodFacts): NodeFacts {
  return {
    ...node,
    pods: new Map([...node.pods, [pod.key, pod]]),
    requested: addAmounts(node.requested, pod.requests),
    scoredRequested: addAmounts(node.scoredRequested, pod.scoredRequests),
  };
}

/** The least important victims, then the fewest. */
function mildestFirst(a: Preemption, b: Preemption): number {
  const worst = ({ victims }: Preemption) => Math.max(...victims.map(({ priority }) => priority));
  const sum = ({ victims }: Preemption) => victims.reduce((total, { priority }) => total + priority, 0);
  return worst(a) - worst(b) || a.victims.length - b.victims.length || sum(a) - sum(b);
}
