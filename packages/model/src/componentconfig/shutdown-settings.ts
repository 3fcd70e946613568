// How pods end when the machine goes down, from the kubelet's keys.
import type { Problem } from '@kedge/core/config';
import { type Duration, parseDuration, seconds } from '@kedge/core/time';

export interface ShutdownKeys {
  readonly shutdownGracePeriod: string;
  readonly shutdownGracePeriodCriticalPods: string;
  readonly shutdownGracePeriodByPodPriority: readonly {
    readonly priority: number;
    readonly shutdownGracePeriodSeconds: number;
  }[];
}

export interface ShutdownSettings {
  /** The lowest priority first. */
  readonly groups: readonly { readonly priority: number; readonly period: Duration }[];
}

/** Priorities from here on belong to the system. */
const systemCritical = 2_000_000_000;

const lengthOf = (text: string): number => parseDuration(text) ?? 0;

export function checkShutdown(keys: ShutdownKeys, path: string): Problem[] {
  const problems: Problem[] = [];
  const complain = (key: keyof ShutdownKeys, say: string): void => void problems.push({ path: `${path}.${key}`, say });
  const whole = lengthOf(keys.shutdownGracePeriod);
  const critical = lengthOf(keys.shutdownGracePeriodCriticalPods);
  const byPriority = keys.shutdownGracePeriodByPodPriority;
  for (const key of ['shutdownGracePeriod', 'shutdownGracePeriodCriticalPods'] as const) {
    const length = lengthOf(keys[key]);
    if (length !== 0 && length < seconds(1)) complain(key, `is ${keys[key]}, needs 0s or at least 1s`);
  }
  if (critical > whole) {
    complain(
      'shutdownGracePeriodCriticalPods',
      `is ${keys.shutdownGracePeriodCriticalPods}, needs to be at most shutdownGracePeriod (${keys.shutdownGracePeriod})`,
    );
  }
  if (byPriority.length > 0 && (whole > 0 || critical > 0)) {
    complain(
      'shutdownGracePeriodByPodPriority',
      'is set beside shutdownGracePeriod or shutdownGracePeriodCriticalPods, needs to be the only one of them',
    );
  }
  if (new Set(byPriority.map(({ priority }) => priority)).size < byPriority.length) {
    complain('shutdownGracePeriodByPodPriority', 'names a priority twice');
  }
  return problems;
}

/** Undefined: nothing is done about it. */
export function readShutdown(keys: ShutdownKeys): ShutdownSettings | undefined {
  const byPriority = keys.shutdownGracePeriodByPodPriority;
  if (byPriority.length > 0) {
    const groups = byPriority
      .map((one) => ({ priority: one.priority, period: seconds(one.shutdownGracePeriodSeconds) }))
      .toSorted((a, b) => a.priority - b.priority);
    return groups.some(({ period }) => period > 0) ? { groups } : undefined;
  }
  const whole = lengthOf(keys.shutdownGracePeriod);
  if (whole <= 0) return undefined;
  const critical = lengthOf(keys.shutdownGracePeriodCriticalPods);
  return {
    groups: [
      { priority: 0, period: (whole - critical) as Duration },
      { priority: systemCritical, period: critical as Duration },
    ],
  };
}
