// Hard topology spread: no domain may hold many more matching pods than the emptiest one.
import { findUntolerated, matchesNode } from '@kedge/model/k8s-scheduling';
import type { TopologySpreadConstraint } from '@kedge/model/k8s-types';
import type { NodeFacts } from '../state/node-facts.ts';
import type { PodFacts } from '../state/pod-facts.ts';
import { type ClusterFacts, type Filter, type NodeFilter, passes, refuse, refuseForGood } from './filter.ts';
import { constraintMatcher, count } from './pod-terms.ts';

const reason = "node(s) didn't match pod topology spread constraints";

export const topologySpread: Filter = {
  name: 'PodTopologySpread',
  helpedBy: ['node', 'pod-gone', 'pod-placed', 'pod-relabelled'],
  prepare(pod, cluster) {
    const hard = (pod.pod.spec?.topologySpreadConstraints ?? []).filter(
      ({ whenUnsatisfiable }) => whenUnsatisfiable !== 'ScheduleAnyway',
    );
    if (hard.length === 0) return undefined;
    const checks = hard.map((constraint) => prepareOne(constraint, hard, pod, cluster));
    return (node) => checks.map((check) => check(node)).find(({ reasons }) => reasons.length > 0) ?? passes;
  },
};

function prepareOne(
  constraint: TopologySpreadConstraint,
  all: readonly TopologySpreadConstraint[],
  pod: PodFacts,
  { nodes }: ClusterFacts,
): NodeFilter {
  const { topologyKey, maxSkew, minDomains = 1 } = constraint;
  const matches = constraintMatcher(constraint, pod);
  const counts = new Map<string, number>();
  for (const node of nodes) {
    if (!isEligible(node, constraint, pod) || !all.every((one) => node.labels[one.topologyKey] !== undefined)) continue;
    count(counts, node.labels[topologyKey]!, countMatching(node, matches));
  }
  const least = counts.size < minDomains ? 0 : Math.min(...counts.values());
  const self = matches(pod) ? 1 : 0;
  return ({ labels }) => {
    const domain = labels[topologyKey];
    if (domain === undefined) return refuseForGood(`${reason} (missing required label)`);
    return (counts.get(domain) ?? 0) + self - least > maxSkew ? refuse(reason) : passes;
  };
}

/** Which nodes take part in the counting. */
export function isEligible({ node }: NodeFacts, constraint: TopologySpreadConstraint, { pod }: PodFacts): boolean {
  if (constraint.nodeAffinityPolicy !== 'Ignore' && !matchesNode(pod.spec, node)) return false;
  if (constraint.nodeTaintsPolicy !== 'Honor') return true;
  return findUntolerated(node.spec?.taints, pod.spec?.tolerations, ['NoSchedule', 'NoExecute']) === undefined;
}

export function countMatching({ pods }: NodeFacts, matches: (pod: PodFacts) => boolean): number {
  let matching = 0;
  for (const other of pods.values()) if (matches(other)) matching += 1;
  return matching;
}
