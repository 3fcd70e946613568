// Status conditions: reading them, and setting one so that its transition time moves only when its status does.
import { toTime } from '@kedge/core/time';
import type { Instant } from '@kedge/core/time';

export type ConditionStatus = 'False' | 'True' | 'Unknown';

/** What the condition types of all kinds have in common. */
export interface ConditionLike {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export const findCondition = <C extends { readonly type: string }>(
  conditions: readonly C[] | undefined,
  type: string,
): C | undefined => conditions?.find((condition) => condition.type === type);

export const hasCondition = (
  conditions: readonly { readonly type: string; readonly status: string }[] | undefined,
  type: string,
  status: ConditionStatus = 'True',
): boolean => findCondition(conditions, type)?.status === status;

/**
 * The conditions with this one set, in place or at the end. `lastTransitionTime` stays while the status does; the list
 * itself is returned when nothing changes, so that a caller can tell whether there is something to write.
 */
export function setCondition<C extends ConditionLike>(
  conditions: readonly C[] | undefined,
  next: C,
  now: Instant,
): readonly C[] {
  const list = conditions ?? [];
  const current = findCondition(list, next.type);
  const since = current?.status === next.status ? current.lastTransitionTime : undefined;
  const updated: C = { ...next, lastTransitionTime: since ?? next.lastTransitionTime ?? toTime(now) };
  if (!current) return [...list, updated];
  const keys = new Set([...Object.keys(current), ...Object.keys(updated)]) as Set<keyof C>;
  if ([...keys].every((key) => current[key] === updated[key])) return list;
  return list.map((condition) => (condition === current ? updated : condition));
}

/** The conditions without the ones of this type. */
export const removeCondition = <C extends { readonly type: string }>(
  conditions: readonly C[] | undefined,
  type: string,
): readonly C[] => (conditions ?? []).filter((condition) => condition.type !== type);
