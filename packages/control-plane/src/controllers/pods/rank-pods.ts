// Which pods a shrinking ReplicaSet gives up first.
import { between, type Instant, parseTime } from '@kedge/core/time';
import type { Pod } from '@kedge/model/k8s-types';
import { isReady, maxRestarts, readySince } from './pod-state.ts';

const phaseRank: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };
const deletionCost = 'controller.kubernetes.io/pod-deletion-cost';

export interface RankFacts {
  readonly now: Instant;
  /** How many pods of the same application run on this pod's node. */
  readonly neighbours: (pod: Pod) => number;
}

/** The pods in the order of giving them up. */
export function rankForDeletion(pods: readonly Pod[], { now, neighbours }: RankFacts): Pod[] {
  // Each rule is a number: the smaller goes first. Later rules decide only where earlier ones are equal.
  const rules: ((pod: Pod) => number)[] = [
    (pod) => (pod.spec?.nodeName ? 1 : 0),
    (pod) => phaseRank[pod.status?.phase ?? ''] ?? 0,
    (pod) => (isReady(pod) ? 1 : 0),
    costOf,
    (pod) => -neighbours(pod),
    (pod) => ageBucket(readySince(pod), now),
    (pod) => -maxRestarts(pod),
    (pod) => ageBucket(parseTime(pod.metadata.creationTimestamp), now),
  ];
  const ranked = pods.map((pod) => ({ pod, ranks: rules.map((rule) => rule(pod)) }));
  ranked.sort((a, b) => {
    const rule = a.ranks.findIndex((rank, at) => rank !== b.ranks[at]);
    if (rule >= 0) return a.ranks[rule]! - b.ranks[rule]!;
    return (a.pod.metadata.uid ?? '') < (b.pod.metadata.uid ?? '') ? -1 : 1;
  });
  return ranked.map(({ pod }) => pod);
}

/** Ages are compared by order of magnitude: among pods of about the same age chance (the uid) decides. */
function ageBucket(since: Instant | undefined, now: Instant): number {
  if (since === undefined) return -1;
  return Math.floor(Math.log2(Math.max(1, between(since, now) / 1_000)));
}

function costOf({ metadata }: Pod): number {
  const cost = metadata.annotations?.[deletionCost];
  return cost !== undefined && /^-?\d+$/.test(cost) ? Number(cost) : 0;
}
