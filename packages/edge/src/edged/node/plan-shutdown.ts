// Which pods end when while the machine goes down, and how long each gets. Pure. Source: "Pod priority based graceful node
// shutdown" in the Kubernetes documentation, and the kubelet's node shutdown manager.
import { type Duration, seconds } from '@kedge/core/time';
import type { Pod } from '@kedge/model/k8s-types';
import { gracePeriodOf, specOf } from '../pod/pod-spec.ts';

export interface ShutdownSettings {
  /** At least one; each holds for pods of its priority and above, up to the next. The lowest priority first. */
  readonly groups: readonly { readonly priority: number; readonly period: Duration }[];
}

/** One group of pods; the next begins to end when all of them have, or when the period is over. */
export interface ShutdownStep {
  readonly period: Duration;
  readonly ends: readonly { readonly pod: Pod; readonly grace: Duration }[];
}

/** A group without pods is not waited for. */
export function planShutdown({ groups }: ShutdownSettings, pods: readonly Pod[]): ShutdownStep[] {
  const members = groups.map((): Pod[] => []);
  for (const pod of pods) {
    const { priority = 0 } = specOf(pod);
    const place = groups.findLastIndex((group) => group.priority <= priority);
    // Below all of them: with the least important.
    members[Math.max(0, place)]?.push(pod);
  }
  return groups.flatMap(({ period }, place) => {
    const ends = (members[place] ?? []).map((pod) => ({ pod, grace: graceWithin(pod, period) }));
    return ends.length > 0 ? [{ period, ends }] : [];
  });
}

/** All groups together. */
export const shutdownTime = ({ groups }: ShutdownSettings): Duration =>
  groups.reduce((sum, { period }) => sum + period, 0) as Duration;

const graceWithin = (pod: Pod, period: Duration): Duration =>
  Math.max(seconds(1), Math.min(gracePeriodOf(pod), period)) as Duration;
