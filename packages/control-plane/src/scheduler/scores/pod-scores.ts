// Scores that look at the pods around: preferred affinity, soft spread, and replicas of one owner kept apart.
import type { PodAffinityTerm } from '@kedge/model/k8s-types';
import type { ClusterFacts } from '../filters/filter.ts';
import { constraintMatcher, count, domainOf, termMatcher } from '../filters/pod-terms.ts';
import { countMatching, isEligible } from '../filters/topology-spread.ts';
import type { NodeFacts } from '../state/node-facts.ts';
import type { PodFacts } from '../state/pod-facts.ts';
import { normalizeCosts, normalizeRange, type Score } from './score.ts';

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
    if (soft.length === 0) return spreadOfOwner(pod, nodes, cluster);
    const isRated = ({ labels }: NodeFacts): boolean =>
      soft.every(({ topologyKey }) => labels[topologyKey] !== undefined);
    const costs = nodes.map((node): number | undefined => (isRated(node) ? 0 : undefined));
    for (const constraint of soft) {
      const { topologyKey, maxSkew } = constraint;
      const matches = constraintMatcher(constraint, pod);
      const counts = new Map(nodes.filter(isRated).map(({ labels }) => [labels[topologyKey]!, 0]));
      for (const node of cluster.nodes) {
        const domain = node.labels[topologyKey];
        if (domain === undefined || !counts.has(domain) || !isRated(node) || !isEligible(node, constraint, pod))
          continue;
        count(counts, domain, countMatching(node, matches));
      }
      // The more domains there are, the more one pod too many in one of them weighs.
      const weight = Math.log(counts.size + 2);
      nodes.forEach(({ labels }, at) => {
        const cost = costs[at];
        if (cost !== undefined) costs[at] = cost + (counts.get(labels[topologyKey]!) ?? 0) * weight + (maxSkew - 1);
      });
    }
    return normalizeCosts(costs);
  },
};

const hostname = 'kubernetes.io/hostname';
/** What a pod without constraints of its own is treated as if it had. */
const usualSpread = [
  { topologyKey: hostname, maxSkew: 3 },
  { topologyKey: 'topology.kubernetes.io/zone', maxSkew: 5 },
] as const;

/** Without constraints of its own, a pod keeps away from others of its owner: from their nodes, and their zones. */
function spreadOfOwner({ owner }: PodFacts, nodes: readonly NodeFacts[], cluster: ClusterFacts): number[] | undefined {
  if (owner === undefined) return undefined;
  const isSibling = (other: PodFacts): boolean => other.owner === owner && !other.pod.metadata.deletionTimestamp;
  const costs = nodes.map(() => 0);
  let siblings = 0;
  for (const { topologyKey, maxSkew } of usualSpread) {
    const counts = new Map<string, number>();
    for (const node of cluster.nodes) {
      const domain = topologyKey === hostname ? node.name : node.labels[topologyKey];
      if (domain !== undefined) count(counts, domain, countMatching(node, isSibling));
    }
    const domains = topologyKey === hostname ? nodes.length : counts.size;
    nodes.forEach((node, at) => {
      const domain = topologyKey === hostname ? node.name : node.labels[topologyKey];
      // Not every site says where its nodes are.
      if (domain === undefined) return;
      const matching = counts.get(domain) ?? 0;
      siblings += matching;
      costs[at]! += matching * Math.log(domains + 2) + (maxSkew - 1);
    });
  }
  return siblings > 0 ? normalizeCosts(costs) : undefined;
}
