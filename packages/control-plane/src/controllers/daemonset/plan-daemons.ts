// On which nodes a DaemonSet creates and deletes pods. Pure.
import { type Duration, type Instant, seconds } from '@kedge/core/time';
import { findUntolerated, matchesNode } from '@kedge/model/k8s-scheduling';
import type { DaemonSet, Node, Pod } from '@kedge/model/k8s-types';
import { isAvailable } from '../pods/pod-state.ts';
import { scaled } from '../runtime/scaled.ts';
import { daemonTolerations, hashLabel, nodeOfDaemonPod } from './daemon-pod.ts';

export interface Eligibility {
  /** A pod is to be created here. */
  readonly runs: boolean;
  /** One that is here already may stay. */
  readonly stays: boolean;
}

/** What the DaemonSet's rules say about a node, whatever runs on it. */
export function eligibility(set: DaemonSet, node: Node): Eligibility {
  if (!matchesNode(set.spec?.template.spec, node)) return { runs: false, stays: false };
  const wanted = set.spec?.template.spec?.nodeName;
  if (wanted && wanted !== node.metadata.name) return { runs: false, stays: false };
  const tolerations = daemonTolerations(set);
  const refuses = (...effects: string[]) => findUntolerated(node.spec?.taints, tolerations, effects) !== undefined;
  if (refuses('NoExecute')) return { runs: false, stays: false };
  return { runs: !refuses('NoSchedule'), stays: true };
}

export interface DaemonPlan {
  /** Names of nodes that get a pod. */
  readonly create: readonly string[];
  readonly delete: readonly Pod[];
  /** Deleted because they ended; their node waits longer each time before it gets another. */
  readonly ended: readonly Pod[];
}

export interface DaemonFacts {
  readonly set: DaemonSet;
  readonly nodes: readonly Node[];
  readonly podsByNode: ReadonlyMap<string, readonly Pod[]>;
  readonly hash: string;
  readonly now: Instant;
}

/** Pods where there are none, none where they do not belong, and one of each where there are several. */
export function planDaemons(facts: DaemonFacts): DaemonPlan {
  const plan = { create: [] as string[], delete: [] as Pod[], ended: [] as Pod[] };
  const known = new Set(facts.nodes.map(({ metadata }) => metadata.name));
  for (const node of facts.nodes) planNode(facts, node, plan);
  // Pods for nodes that do not exist (any more) and never got there.
  for (const [name, pods] of facts.podsByNode) {
    if (!known.has(name)) plan.delete.push(...pods.filter((pod) => !pod.spec?.nodeName && isStaying(pod)));
  }
  return plan;
}

function planNode(
  { set, podsByNode, hash, now }: DaemonFacts,
  node: Node,
  plan: { create: string[]; delete: Pod[]; ended: Pod[] },
) {
  const name = node.metadata.name ?? '';
  const pods = podsByNode.get(name) ?? [];
  const { runs, stays } = eligibility(set, node);
  if (!stays) return void plan.delete.push(...pods.filter(isStaying));
  const ended = pods.filter((pod) => isStaying(pod) && hasEnded(pod));
  plan.ended.push(...ended);
  const running = pods.filter((pod) => isStaying(pod) && !hasEnded(pod));
  if (pods.length === 0 && runs) return void plan.create.push(name);
  // During a rolling update with surge there may be an old and a new one for a while.
  const groups =
    maxSurge(set) > 0
      ? [running.filter((pod) => isOf(pod, hash)), running.filter((pod) => !isOf(pod, hash))]
      : [running];
  for (const group of groups) plan.delete.push(...group.toSorted(byWorth(now, set)).slice(1));
}

/** Available pods first, then older ones. */
const byWorth =
  (now: Instant, { spec }: DaemonSet) =>
  (a: Pod, b: Pod): number => {
    const available = (pod: Pod) => (isAvailable(pod, spec?.minReadySeconds ?? 0, now) ? 0 : 1);
    const created = (pod: Pod) => Date.parse(pod.metadata.creationTimestamp ?? '') || 0;
    return available(a) - available(b) || created(a) - created(b);
  };

const isStaying = ({ metadata }: Pod): boolean => metadata.deletionTimestamp === undefined;
const hasEnded = ({ status }: Pod): boolean => status?.phase === 'Failed' || status?.phase === 'Succeeded';
export const isOf = ({ metadata }: Pod, hash: string): boolean => metadata.labels?.[hashLabel] === hash;

/**
 * What a rolling update does now: delete old pods as far as availability allows, or with surge create new ones beside
 * the old.
 */
export function planDaemonRollout(facts: DaemonFacts): Pick<DaemonPlan, 'create' | 'delete'> {
  const { set, nodes, podsByNode, hash, now } = facts;
  const eligible = nodes.filter((node) => eligibility(set, node).runs);
  const isUp = (pod: Pod | undefined): boolean =>
    pod !== undefined && isAvailable(pod, set.spec?.minReadySeconds ?? 0, now);
  const states = eligible.map(({ metadata: { name = '' } }) => {
    const pods = (podsByNode.get(name) ?? []).filter(isStaying);
    return { name, old: pods.find((pod) => !isOf(pod, hash)), current: pods.find((pod) => isOf(pod, hash)) };
  });
  const surge = maxSurge(set, eligible.length);
  if (surge > 0) {
    const surging = states.filter(({ old, current }) => old && current && !isUp(current)).length;
    const waiting = states.filter(({ old, current }) => old && !current);
    // A node whose old pod is down anyway gets its new one without waiting for its turn.
    const down = waiting.filter(({ old }) => !isUp(old));
    const turn = waiting.filter(({ old }) => isUp(old)).slice(0, Math.max(0, surge - surging));
    return {
      create: [...down, ...turn].map(({ name }) => name),
      delete: states.flatMap(({ old, current }) => (old && isUp(current) ? [old] : [])),
    };
  }
  const down = states.filter(({ old, current }) => !isUp(old) && !isUp(current));
  const replaceable = states.filter(({ old }) => isUp(old));
  const spare = Math.max(0, maxUnavailable(set, eligible.length) - down.length);
  return {
    create: [],
    delete: [...down, ...replaceable.slice(0, spare)].flatMap(({ old }) => (old ? [old] : [])),
  };
}

const maxSurge = ({ spec }: DaemonSet, nodes = 1): number =>
  spec?.updateStrategy?.type === 'OnDelete'
    ? 0
    : scaled(spec?.updateStrategy?.rollingUpdate?.maxSurge ?? 0, nodes, Math.ceil);

function maxUnavailable(set: DaemonSet, nodes: number): number {
  const limit = scaled(set.spec?.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, nodes, Math.ceil);
  return limit === 0 && maxSurge(set, nodes) === 0 ? 1 : limit;
}

/** How long a node waits after its pod has ended `times` times. */
export const endedBackoff = (times: number): Duration => seconds(Math.min(15 * 60, 2 ** Math.min(times, 16)));

/** The pods of a set by the node they are for. */
export function groupByNode(pods: Iterable<Pod>): Map<string, Pod[]> {
  const groups = new Map<string, Pod[]>();
  for (const pod of pods) {
    const node = nodeOfDaemonPod(pod);
    if (node === undefined) continue;
    const group = groups.get(node);
    if (group) group.push(pod);
    else groups.set(node, [pod]);
  }
  return groups;
}
