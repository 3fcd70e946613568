// Scores that look at the pods around: preferred affinity, soft spread, and replicas of one owner kept apart.
import type { PodAffinityTerm } from '@kedge/model/k8s-types';
import type { ClusterFacts } from '../filters/filter.ts';
import { constraintMatcher, count, domainOf, termMatcher } from '../filters/pod-terms.ts';
import { countMatching, isEligible } from '../filters/topology-spread.ts';
import type { NodeFacts } from '../state/node-facts.ts';
import type { PodFacts } from '../state/pod-facts.ts';
import { normalizeRange, normalizeReversed, type Score } from './score.ts';

/** What a required affinity of a placed pod is worth to a pod that it would like near. */
const requiredWeight = 1;

export const preferredPods: Score = {
  name: 'InterPodAffinity',
  weight: 2,
  rate(pod, nodes, cluster) {
    const worth = new Map<string, number>();
    const hasWishes = pod.preferredAffinity.length > 0 || pod.preferredAntiAffinity.length > 0;
    for (const node of cluster.nodes) {
      for (const other of node.pods.values()) {
        if (hasWishes || other.attracts) addWorth(worth, pod, other, node, cluster);
      }
    }
    if (worth.size === 0) return undefined;
    const raw = nodes.map(({ labels }) =>
      Object.entries(labels).reduce((sum, [key, value]) => sum + (worth.get(`${key}\n${value}`) ?? 0), 0),
    );
    return normalizeRange(raw);
  },
};

/** What a placed pod makes its domains worth, by the pod's wishes and by its own. */
function addWorth(
  worth: Map<string, number>,
  pod: PodFacts,
  other: PodFacts,
  node: NodeFacts,
  cluster: ClusterFacts,
): void {
  const add = (term: PodAffinityTerm, owner: PodFacts, subject: PodFacts, weight: number): void => {
    const domain = domainOf(node.labels, term.topologyKey);
    if (domain !== undefined && termMatcher(term, owner, cluster)(subject)) count(worth, domain, weight);
  };
  for (const { podAffinityTerm, weight } of pod.preferredAffinity) add(podAffinityTerm, pod, other, weight);
  for (const { podAffinityTerm, weight } of pod.preferredAntiAffinity) add(podAffinityTerm, pod, other, -weight);
  for (const { podAffinityTerm, weight } of other.preferredAffinity) add(podAffinityTerm, other, pod, weight);
  for (const { podAffinityTerm, weight } of other.preferredAntiAffinity) add(podAffinityTerm, other, pod, -weight);
  for (const term of other.affinity) add(term, other, pod, requiredWeight);
}

export const softSpread: Score = {
  name: 'PodTopologySpread',
  weight: 2,
  rate(pod, nodes, cluster) {
    const soft = (pod.pod.spec?.topologySpreadConstraints ?? []).filter(
      ({ whenUnsatisfiable }) => whenUnsatisfiable === 'ScheduleAnyway',
    );
    if (soft.length === 0) return spreadOfOwner(pod, nodes);
    const costs = nodes.map(() => 0);
    for (const constraint of soft) {
      const matches = constraintMatcher(constraint, pod);
      const counts = new Map<string, number>();
      for (const node of cluster.nodes) {
        const domain = node.labels[constraint.topologyKey];
        if (domain !== undefined && isEligible(node, constraint, pod))
          count(counts, domain, countMatching(node, matches));
      }
      // The more domains there are, the more one pod too many in one of them weighs.
      const weight = Math.log(counts.size + 2);
      nodes.forEach(({ labels }, at) => {
        const domain = labels[constraint.topologyKey];
        // A node outside of every domain is the last choice.
        const matching = domain === undefined ? Math.max(1, ...counts.values()) * 2 : (counts.get(domain) ?? 0);
        costs[at]! += matching * weight + (constraint.maxSkew - 1);
      });
    }
    return normalizeReversed(costs);
  },
};

/** Without constraints of its own, a pod keeps away from others of its owner. */
function spreadOfOwner({ owner }: PodFacts, nodes: readonly NodeFacts[]): number[] | undefined {
  if (owner === undefined) return undefined;
  const siblings = nodes.map((node) => countMatching(node, (other) => other.owner === owner));
  return siblings.some((number) => number > 0) ? normalizeReversed(siblings) : undefined;
}
