// Which lower-priority pods would have to go, and from which node, for a pod that fits nowhere. Pure.
import { parseTime } from '@kedge/core/time';
import { type LabelSelector, matchesLabels } from '@kedge/model/k8s-selectors';
import { filterNodes, type Refusal, sayCounts } from './choose-node.ts';
import type { ClusterFacts } from './filters/filter.ts';
import { type NodeFacts, withoutPod, withPod } from './state/node-facts.ts';
import type { PodFacts } from './state/pod-facts.ts';

export interface Victims {
  readonly node: string;
  readonly pods: readonly PodFacts[];
}

export type Preemption =
  | { readonly ok: true; readonly victims: Victims }
  /** In the words that users know; '' when there is no node at all. */
  | { readonly ok: false; readonly why: string };

/** A disruption budget, as far as it matters here. */
export interface Budget {
  readonly namespace: string;
  readonly selector: LabelSelector;
  readonly allowed: number;
  /** Pods whose eviction has been granted already. */
  readonly granted: ReadonlySet<string>;
}

/** Nodes that are tried; in a large cluster some node among these will do as well as any. */
const maxNodes = 100;
const hopeless = ['Preemption is not helpful for scheduling'];
const nobody = ['No preemption victims found for incoming pod'];

interface Option extends Victims {
  /** How many of them a disruption budget would rather keep. */
  readonly violations: number;
}

export function planPreemption(
  pod: PodFacts,
  cluster: ClusterFacts,
  refusals: readonly Refusal[],
  budgets: readonly Budget[],
): Preemption {
  if (refusals.length === 0) return { ok: false, why: '' };
  if (pod.pod.spec?.preemptionPolicy === 'Never')
    return { ok: false, why: 'preemption: not eligible due to preemptionPolicy=Never.' };
  const options: Option[] = [];
  const reasons: (readonly string[])[] = [];
  let tried = 0;
  for (const refusal of refusals) {
    if (refusal.isFinal || tried >= maxNodes) {
      reasons.push(hopeless);
      continue;
    }
    tried += 1;
    const found = victimsOn(refusal, pod, cluster, budgets);
    if (found.ok) options.push(found.option);
    else reasons.push(found.reasons);
  }
  const [best] = options.toSorted(mildestFirst);
  if (best) return { ok: true, victims: best };
  return { ok: false, why: `preemption: ${sayCounts(reasons)}` };
}

type Found =
  | { readonly ok: true; readonly option: Option }
  | { readonly ok: false; readonly reasons: readonly string[] };

/** The fewest pods that have to leave the node; none when even all of lower priority are not enough. */
function victimsOn({ node }: Refusal, pod: PodFacts, cluster: ClusterFacts, budgets: readonly Budget[]): Found {
  const lower = [...node.pods.values()].filter(({ priority }) => priority < pod.priority).toSorted(importantFirst);
  if (lower.length === 0) return { ok: false, reasons: nobody };
  let trial = lower.reduce(withoutPod, node);
  const left = refusalOf(pod, node, trial, cluster);
  if (left) return { ok: false, reasons: left };
  const pods: PodFacts[] = [];
  let violations = 0;
  const { kept, free } = byBudget(lower, budgets);
  // Those that a budget protects are the first that may stay after all, then the most important ones.
  for (const [group, counts] of [
    [kept, 1],
    [free, 0],
  ] as const) {
    for (const other of group) {
      const kinder = withPod(trial, other);
      if (refusalOf(pod, node, kinder, cluster)) {
        pods.push(other);
        violations += counts;
      } else {
        trial = kinder;
      }
    }
  }
  return { ok: true, option: { node: node.name, pods: pods.toSorted(importantFirst), violations } };
}

/** Which of the pods would break a budget if all of them went, in this order. */
function byBudget(pods: readonly PodFacts[], budgets: readonly Budget[]) {
  const allowed = new Map(budgets.map((budget) => [budget, budget.allowed]));
  const kept: PodFacts[] = [];
  const free: PodFacts[] = [];
  for (const one of pods) {
    let isKept = false;
    for (const budget of budgets) {
      const { name = '', labels } = one.pod.metadata;
      if (budget.namespace !== one.namespace || budget.granted.has(name)) continue;
      if (!matchesLabels(budget.selector, labels)) continue;
      const left = allowed.get(budget)! - 1;
      allowed.set(budget, left);
      if (left < 0) isKept = true;
    }
    (isKept ? kept : free).push(one);
  }
  return { kept, free };
}

/** Why the node would still not do; undefined when it would. */
function refusalOf(
  pod: PodFacts,
  node: NodeFacts,
  trial: NodeFacts,
  cluster: ClusterFacts,
): readonly string[] | undefined {
  const expected = (cluster.nominated.get(node.name) ?? []).filter(
    ({ key, priority }) => key !== pod.key && priority >= pod.priority,
  );
  const crowded = expected.reduce(withPod, trial);
  const nodes = cluster.nodes.map((one) => (one === node ? crowded : one));
  const isThere = (other: PodFacts) => !node.pods.has(other.key) || trial.pods.has(other.key);
  const repelling = new Set([...cluster.repelling].filter(isThere));
  const { refusals } = filterNodes(pod, { ...cluster, nodes, repelling });
  return refusals.find((refusal) => refusal.node === crowded)?.reasons;
}

const startOf = ({ pod }: PodFacts): number => parseTime(pod.status?.startTime) ?? Infinity;

/** Higher priority first, then those that have run longer. */
const importantFirst = (a: PodFacts, b: PodFacts): number => b.priority - a.priority || startOrder(a, b);
const startOrder = (a: PodFacts, b: PodFacts): number => {
  const [x, y] = [startOf(a), startOf(b)];
  return x === y ? 0 : x < y ? -1 : 1;
};

/** The fewest broken budgets, the least important victims, then the fewest, then those that started last. */
function mildestFirst(a: Option, b: Option): number {
  const worst = ({ pods }: Option) => pods[0]?.priority ?? -Infinity;
  // Shifted, so that every victim counts, also one of negative priority.
  const sum = ({ pods }: Option) => pods.reduce((total, { priority }) => total + priority + 2 ** 31, 0);
  const newest = ({ pods }: Option) => {
    const top = pods.filter(({ priority }) => priority === pods[0]?.priority);
    return Math.min(...top.map(startOf));
  };
  const compare = (x: number, y: number): number => (x === y ? 0 : x < y ? -1 : 1);
  return (
    a.violations - b.violations ||
    compare(worst(a), worst(b)) ||
    compare(sum(a), sum(b)) ||
    a.pods.length - b.pods.length ||
    compare(newest(b), newest(a))
  );
}
