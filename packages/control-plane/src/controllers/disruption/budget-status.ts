// How many pods of a disruption budget may be evicted now. Pure.
import { between, type Duration, type Instant, minutes, parseTime, toTime } from '@kedge/core/time';
import { setCondition } from '@kedge/model/k8s';
import type { Condition, Pod, PodDisruptionBudget, PodDisruptionBudgetStatus } from '@kedge/model/k8s-types';
import { isActive, isReady } from '../pods/pod-state.ts';
import { scaled } from '../runtime/scaled.ts';

/** An eviction whose pod is still there after this has not worked out. */
const evictionTakes = minutes(2);

export interface BudgetFacts {
  readonly budget: PodDisruptionBudget;
  readonly pods: readonly Pod[];
  /** How many pods their controllers want, or why that cannot be told. */
  readonly scale: { readonly ok: true; readonly replicas: number } | { readonly ok: false; readonly why: string };
  readonly now: Instant;
}

export function budgetStatus({ budget, pods, scale, now }: BudgetFacts): PodDisruptionBudgetStatus {
  const { metadata, spec, status } = budget;
  // Without knowing how many there should be, better none than one too many; the rest is not looked at.
  if (!scale.ok && typeof spec?.minAvailable !== 'number') return failedStatus(budget, scale.why, now);
  const disruptedPods = underWay(budget, pods, now);
  const healthy = pods.filter((pod) => isActive(pod) && isReady(pod) && !disruptedPods[pod.metadata.name ?? '']);
  const { expectedPods, desiredHealthy } = wanted(spec, pods.length, scale.ok ? scale.replicas : 0);
  const spare = expectedPods > 0 ? Math.max(0, healthy.length - desiredHealthy) : 0;
  const condition: Condition = {
    type: 'DisruptionAllowed',
    status: spare > 0 ? 'True' : 'False',
    reason: spare > 0 ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    observedGeneration: metadata.generation ?? 0,
    lastTransitionTime: toTime(now),
  };
  return {
    currentHealthy: healthy.length,
    desiredHealthy,
    expectedPods,
    disruptionsAllowed: spare,
    ...(Object.keys(disruptedPods).length > 0 ? { disruptedPods } : {}),
    observedGeneration: metadata.generation ?? 0,
    conditions: [...setCondition(status?.conditions, condition, now)],
  };
}

function failedStatus({ status }: PodDisruptionBudget, message: string, now: Instant): PodDisruptionBudgetStatus {
  const condition: Condition = {
    type: 'DisruptionAllowed',
    status: 'False',
    reason: 'SyncFailed',
    message,
    ...(status?.observedGeneration === undefined ? {} : { observedGeneration: status.observedGeneration }),
    lastTransitionTime: toTime(now),
  };
  const { currentHealthy = 0, desiredHealthy = 0, expectedPods = 0 } = status ?? {};
  return {
    ...status,
    currentHealthy,
    desiredHealthy,
    expectedPods,
    disruptionsAllowed: 0,
    conditions: [...setCondition(status?.conditions, condition, now)],
  };
}

function wanted(
  spec: PodDisruptionBudget['spec'],
  count: number,
  scale: number,
): { expectedPods: number; desiredHealthy: number } {
  if (spec?.maxUnavailable !== undefined) {
    return { expectedPods: scale, desiredHealthy: Math.max(0, scale - scaled(spec.maxUnavailable, scale, Math.ceil)) };
  }
  // A budget that says nothing allows nothing.
  const least = spec?.minAvailable;
  if (least === undefined) return { expectedPods: 0, desiredHealthy: 0 };
  if (typeof least === 'number') return { expectedPods: count, desiredHealthy: least };
  return { expectedPods: scale, desiredHealthy: scaled(least, scale, Math.ceil) };
}

/** Evictions that were granted and do not show yet. */
function underWay({ status }: PodDisruptionBudget, pods: readonly Pod[], now: Instant): Record<string, string> {
  const there = new Set(pods.filter(isActive).map(({ metadata }) => metadata.name));
  const granted = Object.entries(status?.disruptedPods ?? {});
  return Object.fromEntries(granted.filter(([name, at]) => there.has(name) && timeLeft(at, now) > 0));
}

const timeLeft = (granted: string, now: Instant): number =>
  evictionTakes - between(parseTime(granted) ?? (0 as Instant), now);

/** When an eviction that is under way has to be looked at again. */
export function nextExpiry({ disruptedPods }: PodDisruptionBudgetStatus, now: Instant): Duration | undefined {
  const left = Object.values(disruptedPods ?? {}).map((at) => timeLeft(at, now));
  return left.length > 0 ? (Math.max(1, Math.min(...left)) as Duration) : undefined;
}
