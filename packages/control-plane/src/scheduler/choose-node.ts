// The scheduling decision: which node a pod should run on, or why none will do. Pure.
import { filters } from './filters/index.ts';
import {
  type ClusterFacts,
  type Filter,
  type NodeFilter,
  isHopeless,
  refuseForGood,
  type Verdict,
} from './filters/filter.ts';
import { scores } from './scores/index.ts';
import { type NodeFacts, withPod } from './state/node-facts.ts';
import type { PodFacts } from './state/pod-facts.ts';

/** A node that will not do, and which filter says so. */
export interface Refusal extends Verdict {
  readonly node: NodeFacts;
  readonly filter: Filter;
}

export interface Filtered {
  readonly possible: readonly NodeFacts[];
  readonly refusals: readonly Refusal[];
  /** What stands in the way on every node alike. */
  readonly hopeless?: string;
}

export type Choice =
  | { readonly ok: true; readonly node: string }
  | { readonly ok: false; readonly refusals: readonly Refusal[]; readonly message: string };

/** `random` decides between nodes that are equally good. */
export function chooseNode(pod: PodFacts, cluster: ClusterFacts, random: () => number): Choice {
  const { possible, refusals, hopeless } = filterWithNominated(pod, cluster);
  if (possible.length === 0) return { ok: false, refusals, message: sayRefusals(refusals, hopeless) };
  const settled = settledNode(pod, cluster);
  if (possible.length === 1 || possible.some(({ name }) => name === settled))
    return { ok: true, node: settled !== undefined && possible.length > 1 ? settled : possible[0]!.name };
  const totals = possible.map(() => 0);
  for (const { rate, weight } of scores) {
    rate(pod, possible, cluster)?.forEach((points, at) => (totals[at]! += Math.floor(points) * weight));
  }
  const top = Math.max(...totals);
  const winners = possible.filter((_, at) => totals[at] === top);
  return { ok: true, node: winners[Math.floor(random() * winners.length)]!.name };
}

/** Others have left this node for the pod, or its volume is being made there. */
function settledNode({ pod, claims, namespace }: PodFacts, { storage }: ClusterFacts): string | undefined {
  const selected = claims.flatMap((name) => {
    const { metadata, spec } = storage.claim(namespace, name) ?? {};
    return spec?.volumeName ? [] : (metadata?.annotations?.['volume.kubernetes.io/selected-node'] ?? []);
  });
  return selected[0] ?? pod.status?.nominatedNodeName;
}

/** A node that waits for a pod of at least the same priority has to do with and without that one. */
function filterWithNominated(pod: PodFacts, cluster: ClusterFacts): Filtered {
  const plain = filterNodes(pod, cluster);
  const expected = new Map(
    [...cluster.nominated].map(([node, pods]) => [
      node,
      pods.filter(({ key, priority }) => key !== pod.key && priority >= pod.priority),
    ]),
  );
  if ([...expected.values()].every((pods) => pods.length === 0)) return plain;
  const nodes = cluster.nodes.map((node) => (expected.get(node.name) ?? []).reduce(withPod, node));
  const crowded = filterNodes(pod, { ...cluster, nodes });
  const fitting = new Set(crowded.possible.map(({ name }) => name));
  const real = new Map(cluster.nodes.map((node) => [node.name, node]));
  return {
    possible: plain.possible.filter(({ name }) => fitting.has(name)),
    refusals: [
      // Of the nodes as they are: whoever looks for room on them has to start from that.
      ...crowded.refusals.map((refusal) => ({ ...refusal, node: real.get(refusal.node.name)! })),
      ...plain.refusals.filter(({ node }) => fitting.has(node.name)),
    ],
    ...(plain.hopeless === undefined ? {} : { hopeless: plain.hopeless }),
  };
}

export function filterNodes(pod: PodFacts, cluster: ClusterFacts): Filtered {
  const prepared: { filter: Filter; check: NodeFilter }[] = [];
  for (const filter of filters) {
    const check = filter.prepare(pod, cluster);
    if (isHopeless(check)) {
      const { message } = check;
      const refusals = cluster.nodes.map((node) => ({ node, filter, reasons: [message], isFinal: true }));
      return { possible: [], refusals, hopeless: message };
    }
    if (check) prepared.push({ filter, check });
  }
  const narrowing = prepared.flatMap(({ filter }) => {
    const names = filter.narrow?.(pod);
    return names ? [{ filter, names }] : [];
  });
  const possible: NodeFacts[] = [];
  const refusals: Refusal[] = [];
  for (const node of cluster.nodes) {
    const excluding = narrowing.find(({ names }) => !names.has(node.name))?.filter;
    const refusal = excluding
      ? { node, filter: excluding, ...refuseForGood(`node(s) didn't satisfy plugin(s) [${excluding.name}]`) }
      : firstRefusal(prepared, node);
    if (refusal) refusals.push(refusal);
    else possible.push(node);
  }
  return { possible, refusals };
}

function firstRefusal(
  prepared: readonly { filter: Filter; check: NodeFilter }[],
  node: NodeFacts,
): Refusal | undefined {
  for (const { filter, check } of prepared) {
    const verdict = check(node);
    if (verdict.reasons.length > 0) return { node, filter, ...verdict };
  }
  return undefined;
}

/** `0/3 nodes are available: 1 node(s) had untolerated taint {k: v}, 2 Insufficient cpu.` */
function sayRefusals(refusals: readonly Refusal[], hopeless: string | undefined): string {
  if (refusals.length === 0) return 'no nodes available to schedule pods';
  if (hopeless !== undefined) return `0/${refusals.length} nodes are available: ${hopeless}.`;
  return sayCounts(refusals.map(({ reasons }) => reasons));
}

/** The reasons of all nodes, each with how often it was given. */
export function sayCounts(perNode: readonly (readonly string[])[]): string {
  const counts = new Map<string, number>();
  for (const reasons of perNode) for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const said = [...counts].map(([reason, number]) => `${number} ${reason}`).toSorted();
  return `0/${perNode.length} nodes are available: ${said.join(', ')}.`;
}
