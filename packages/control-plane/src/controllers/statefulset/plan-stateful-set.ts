// What a StatefulSet does about its pods now. Pure. One thing at a time in order of ordinals, unless pods are managed in
// parallel; updates go backwards, one by one, in both cases.
import type { Instant } from '@kedge/core/time';
import type { Pod, StatefulSet } from '@kedge/model/k8s-types';
import { isAvailable, isReady, isTerminal } from '../pods/pod-state.ts';
import { ordinalOf, revisionOf } from './stateful-pod.ts';

export interface StatefulFacts {
  readonly set: StatefulSet;
  readonly pods: readonly Pod[];
  /** Names of the revision that pods have, and of the one they are to get. */
  readonly current: string;
  readonly update: string;
  readonly now: Instant;
}

export type StatefulAction =
  | { readonly do: 'create'; readonly ordinal: number; readonly revision: string }
  /** Its claims may have been deleted before it was scheduled. */
  | { readonly do: 'claim'; readonly ordinal: number }
  | { readonly do: 'delete'; readonly pod: Pod; readonly why: 'surplus' | 'ended' | 'outdated' };

export const isStaying = ({ metadata }: Pod): boolean => metadata.deletionTimestamp === undefined;

export const firstOrdinal = ({ spec }: StatefulSet): number => spec?.ordinals?.start ?? 0;

export function planStatefulSet(facts: StatefulFacts): StatefulAction[] {
  const { set, pods } = facts;
  if (set.metadata.deletionTimestamp !== undefined) return [];
  const oneByOne = set.spec?.podManagementPolicy !== 'Parallel';
  const first = firstOrdinal(set);
  const end = first + (set.spec?.replicas ?? 1);
  const byOrdinal = new Map<number, Pod>();
  const surplus: { ordinal: number; pod: Pod }[] = [];
  for (const pod of pods) {
    const ordinal = ordinalOf(set, pod);
    if (ordinal === undefined) continue;
    if (ordinal >= first && ordinal < end) byOrdinal.set(ordinal, pod);
    else surplus.push({ ordinal, pod });
  }
  const actions: StatefulAction[] = [];
  for (let ordinal = first; ordinal < end; ordinal++) {
    const pod = byOrdinal.get(ordinal);
    const { action, settled } = planReplica(facts, ordinal, pod);
    if (action) actions.push(action);
    if (!settled && oneByOne) return actions;
  }
  surplus.sort((a, b) => b.ordinal - a.ordinal);
  const unhealthy = surplus.toReversed().find(({ pod }) => !isUp(facts, pod))?.pod;
  for (const { pod } of surplus) {
    // What has to go goes from the top, and only while the others are well, or else the sick one first.
    if (!isStaying(pod)) {
      if (oneByOne) return actions;
      continue;
    }
    if (oneByOne && !isUp(facts, pod) && pod !== unhealthy) return actions;
    actions.push({ do: 'delete', pod, why: 'surplus' });
    if (oneByOne) return actions;
  }
  if (actions.some((action) => action.do !== 'claim')) return actions;
  return [...actions, ...planRollout(facts, byOrdinal, first, end)];
}

/** `settled`: the next ordinal may be looked at. */
function planReplica(
  facts: StatefulFacts,
  ordinal: number,
  pod: Pod | undefined,
): { action?: StatefulAction; settled: boolean } {
  if (!pod) return { action: { do: 'create', ordinal, revision: revisionFor(facts, ordinal) }, settled: false };
  if (!isStaying(pod)) return { settled: false };
  if (isTerminal(pod)) return { action: { do: 'delete', pod, why: 'ended' }, settled: false };
  if (!pod.spec?.nodeName && pod.status?.phase === 'Pending')
    return { action: { do: 'claim', ordinal }, settled: false };
  return { settled: isUp(facts, pod) };
}

/** Running, ready, and so for as long as the set wants. */
const isUp = ({ set, now }: StatefulFacts, pod: Pod): boolean =>
  pod.status?.phase === 'Running' &&
  isReady(pod) &&
  isStaying(pod) &&
  isAvailable(pod, set.spec?.minReadySeconds ?? 0, now);

/** A pod that is made anew before its turn of a rolling update gets what it had. */
function revisionFor({ set, current, update }: StatefulFacts, ordinal: number): string {
  const { updateStrategy } = set.spec ?? {};
  if (updateStrategy?.type === 'OnDelete') return update;
  const partition = updateStrategy?.rollingUpdate?.partition ?? (updateStrategy?.rollingUpdate ? 0 : undefined);
  const before = firstOrdinal(set) + (partition ?? set.status?.currentReplicas ?? 0);
  return ordinal < before ? current : update;
}

function planRollout(
  facts: StatefulFacts,
  byOrdinal: ReadonlyMap<number, Pod>,
  first: number,
  end: number,
): StatefulAction[] {
  const { set, update } = facts;
  if (set.spec?.updateStrategy?.type === 'OnDelete') return [];
  const last = first + (set.spec?.updateStrategy?.rollingUpdate?.partition ?? 0);
  for (let ordinal = end - 1; ordinal >= last; ordinal--) {
    const pod = byOrdinal.get(ordinal);
    if (!pod) return [];
    if (revisionOf(pod) !== update && isStaying(pod)) return [{ do: 'delete', pod, why: 'outdated' }];
    if (!isUp(facts, pod)) return [];
  }
  return [];
}
