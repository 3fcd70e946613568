// What affinity terms and spread constraints have in common: which pods they are about.
import { type LabelSelector, labelSelectorOf, matchesLabels } from '@kedge/model/k8s-selectors';
import type { PodAffinityTerm, TopologySpreadConstraint } from '@kedge/model/k8s-types';
import type { PodFacts } from '../state/pod-facts.ts';
import type { ClusterFacts } from './filter.ts';

export type PodMatcher = (pod: PodFacts) => boolean;

/** The pods a term of `owner` is about. */
export function termMatcher(
  term: PodAffinityTerm,
  owner: PodFacts,
  cluster: Pick<ClusterFacts, 'namespaceLabels'>,
): PodMatcher {
  const labels = owner.pod.metadata.labels ?? {};
  const selector = withKeys(
    labelSelectorOf(term.labelSelector),
    labels,
    term.matchLabelKeys ?? [],
    term.mismatchLabelKeys ?? [],
  );
  const { namespaces = [], namespaceSelector } = term;
  const byLabels = namespaceSelector && labelSelectorOf(namespaceSelector);
  const isOwn = namespaces.length === 0 && !byLabels;
  return (pod) => {
    const isThere = isOwn
      ? pod.namespace === owner.namespace
      : namespaces.includes(pod.namespace) ||
        (byLabels !== undefined && matchesLabels(byLabels, cluster.namespaceLabels(pod.namespace)));
    return isThere && matchesLabels(selector, pod.pod.metadata.labels);
  };
}

/** The pods a constraint of `owner` counts: those of its namespace that are not on their way out. */
export function constraintMatcher(constraint: TopologySpreadConstraint, owner: PodFacts): PodMatcher {
  const labels = owner.pod.metadata.labels ?? {};
  const selector = withKeys(labelSelectorOf(constraint.labelSelector), labels, constraint.matchLabelKeys ?? [], []);
  return ({ namespace, pod }) =>
    namespace === owner.namespace &&
    pod.metadata.deletionTimestamp === undefined &&
    matchesLabels(selector, pod.metadata.labels);
}

function withKeys(
  selector: LabelSelector,
  labels: Readonly<Record<string, string>>,
  same: readonly string[],
  different: readonly string[],
): LabelSelector {
  if (selector === 'nothing') return selector;
  const present = (keys: readonly string[]) => keys.filter((key) => labels[key] !== undefined);
  return [
    ...selector,
    ...present(same).map((key) => ({ op: 'in' as const, key, values: [labels[key]!] })),
    ...present(different).map((key) => ({ op: 'notin' as const, key, values: [labels[key]!] })),
  ];
}

/** Adds to a number under a key. */
export const count = (counts: Map<string, number>, key: string, by = 1): void =>
  void counts.set(key, (counts.get(key) ?? 0) + by);

/** A topology domain as a map key; undefined when the node is in none. */
export function domainOf(labels: Readonly<Record<string, string>>, topologyKey: string): string | undefined {
  const value = labels[topologyKey];
  return value === undefined ? undefined : `${topologyKey}\n${value}`;
}
