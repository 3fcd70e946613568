// The scheduling decision: which node a pod should run on, or why none will do. Pure.
import { filters } from './filters/index.ts';
import type { ClusterFacts, Filter } from './filters/filter.ts';
import { scores } from './scores/index.ts';
import type { NodeFacts } from './state/node-facts.ts';
import type { PodFacts } from './state/pod-facts.ts';

/** A node that will not do, and which filter says so. */
export interface Refusal {
  readonly node: NodeFacts;
  readonly filter: Filter;
  readonly reasons: readonly string[];
}

export type Choice =
  | { readonly ok: true; readonly node: string }
  | { readonly ok: false; readonly refusals: readonly Refusal[]; readonly message: string };

/** `random` decides between nodes that are equally good. */
export function chooseNode(pod: PodFacts, cluster: ClusterFacts, random: () => number): Choice {
  const { possible, refusals } = filterNodes(pod, cluster);
  if (possible.length === 0) return { ok: false, refusals, message: sayRefusals(refusals) };
  if (possible.length === 1) return { ok: true, node: possible[0]!.name };
  const totals = possible.map(() => 0);
  for (const { rate, weight } of scores) {
    rate(pod, possible, cluster)?.forEach((points, at) => (totals[at]! += Math.floor(points) * weight));
  }
  const top = Math.max(...totals);
  const winners = possible.filter((_, at) => totals[at] === top);
  return { ok: true, node: winners[Math.floor(random() * winners.length)]!.name };
}

export function filterNodes(pod: PodFacts, cluster: ClusterFacts) {
  const prepared = filters.flatMap((filter) => {
    const check = filter.prepare(pod, cluster);
    return check ? [{ filter, check }] : [];
  });
  const possible: NodeFacts[] = [];
  const refusals: Refusal[] = [];
  for (const node of cluster.nodes) {
    const refusal = firstRefusal(prepared, node);
    if (refusal) refusals.push(refusal);
    else possible.push(node);
  }
  return { possible, refusals };
}

function firstRefusal(
  prepared: readonly { filter: Filter; check: (node: NodeFacts) => readonly string[] }[],
  node: NodeFacts,
): Refusal | undefined {
  for (const { filter, check } of prepared) {
    const reasons = check(node);
    if (reasons.length > 0) return { node, filter, reasons };
  }
  return undefined;
}

/** `0/3 nodes are available: 1 node(s) had untolerated taint {k: v}, 2 Insufficient cpu.` */
function sayRefusals(refusals: readonly Refusal[]): string {
  if (refusals.length === 0) return 'no nodes available to schedule pods';
  const counts = new Map<string, number>();
  for (const { reasons } of refusals) for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const said = [...counts].map(([reason, number]) => `${number} ${reason}`).toSorted();
  return `0/${refusals.length} nodes are available: ${said.join(', ')}.`;
}
