// Required pod affinity and anti-affinity, in both directions: what the pod wants near or far, and who wants it far.
import type { PodAffinityTerm } from '@kedge/model/k8s-types';
import type { NodeFacts } from '../state/node-facts.ts';
import type { PodFacts } from '../state/pod-facts.ts';
import { type ClusterFacts, type Filter, type NodeFilter, passes, refuse, refuseForGood } from './filter.ts';
import { count, domainOf, termMatcher } from './pod-terms.ts';

export const interPodAffinity: Filter = {
  name: 'InterPodAffinity',
  helpedBy: ['node', 'pod-gone', 'pod-placed', 'pod-relabelled'],
  prepare(pod, cluster) {
    const checks = [wanted(pod, cluster), unwanted(pod, cluster), unwelcome(pod, cluster)].filter(
      (check) => check !== undefined,
    );
    if (checks.length === 0) return undefined;
    return (node) => checks.map((check) => check(node)).find(({ reasons }) => reasons.length > 0) ?? passes;
  },
};

/** Every domain the pod asks for has to hold a pod that meets all of its terms. */
function wanted(pod: PodFacts, cluster: ClusterFacts): NodeFilter | undefined {
  if (pod.affinity.length === 0) return undefined;
  const matchers = pod.affinity.map((term) => termMatcher(term, pod, cluster));
  const meetsAll = (other: PodFacts) => matchers.every((matches) => matches(other));
  const counts = domainCounts(pod.affinity, cluster.nodes, () => meetsAll);
  // The first of a group that wants to be together has nobody to join: it may go anywhere.
  const mayBeFirst = counts.size === 0 && meetsAll(pod);
  return ({ labels }) => {
    const domains = pod.affinity.map(({ topologyKey }) => domainOf(labels, topologyKey));
    const isOk = domains.every((domain) => domain !== undefined && (mayBeFirst || (counts.get(domain) ?? 0) > 0));
    return isOk ? passes : refuseForGood("node(s) didn't match pod affinity rules");
  };
}

/** No domain the pod shuns may hold a pod that meets that term. */
function unwanted(pod: PodFacts, cluster: ClusterFacts): NodeFilter | undefined {
  if (pod.antiAffinity.length === 0) return undefined;
  const matchers = new Map(pod.antiAffinity.map((term) => [term, termMatcher(term, pod, cluster)]));
  const counts = domainCounts(pod.antiAffinity, cluster.nodes, (term) => matchers.get(term)!);
  return ({ labels }) => {
    const isOk = pod.antiAffinity.every(({ topologyKey }) => {
      const domain = domainOf(labels, topologyKey);
      return domain === undefined || !counts.has(domain);
    });
    return isOk ? passes : refuse("node(s) didn't match pod anti-affinity rules");
  };
}

/** No placed pod that shuns this one may be in the same domain. */
function unwelcome(pod: PodFacts, cluster: ClusterFacts): NodeFilter | undefined {
  const closed = new Set<string>();
  for (const other of cluster.repelling) {
    const labels = cluster.nodeOf(other.key)?.labels;
    for (const term of labels ? other.antiAffinity : []) {
      const domain = domainOf(labels!, term.topologyKey);
      if (domain !== undefined && termMatcher(term, other, cluster)(pod)) closed.add(domain);
    }
  }
  if (closed.size === 0) return undefined;
  return ({ labels }) =>
    Object.entries(labels).some(([key, value]) => closed.has(`${key}\n${value}`))
      ? refuse("node(s) didn't satisfy existing pods anti-affinity rules")
      : passes;
}

/** How many pods of each domain match; only domains with at least one are in the result. */
function domainCounts(
  terms: readonly PodAffinityTerm[],
  nodes: readonly NodeFacts[],
  matcherOf: (term: PodAffinityTerm) => (pod: PodFacts) => boolean,
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { labels, pods } of nodes) {
    for (const term of terms) {
      const domain = domainOf(labels, term.topologyKey);
      if (domain === undefined) continue;
      const matches = matcherOf(term);
      for (const other of pods.values()) if (matches(other)) count(counts, domain);
    }
  }
  return counts;
}
