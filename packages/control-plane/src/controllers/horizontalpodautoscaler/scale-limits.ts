// What becomes of a wanted number of replicas: recent recommendations steady it, rates and bounds limit it. Pure.
import type { Instant } from '@kedge/core/time';
import type { HorizontalPodAutoscaler, HPAScalingPolicy, HPAScalingRules } from '@kedge/model/k8s-types';

export interface Recommendation {
  readonly replicas: number;
  readonly at: Instant;
}

/** How many were added or taken away. */
export interface ScaleEvent {
  readonly change: number;
  readonly at: Instant;
}

/** What an autoscaler remembers between looks; gone after a restart, as upstream. */
export interface ScaleHistory {
  readonly recommendations: readonly Recommendation[];
  readonly ups: readonly ScaleEvent[];
  readonly downs: readonly ScaleEvent[];
}

export interface Said {
  readonly reason: string;
  readonly message: string;
}

export interface Limited {
  readonly replicas: number;
  /** Why another number than the recommended one was kept, if so. */
  readonly stabilized: Said | undefined;
  readonly limited: Said & { readonly status: 'True' | 'False' };
}

/** How long a high recommendation keeps replicas from being taken away. */
const downStabilization = 300;
const longestWindow = 3_600;

interface Rules {
  readonly window: number;
  readonly select: string;
  readonly policies: readonly HPAScalingPolicy[];
}

const usually: Readonly<Record<'up' | 'down', Rules>> = {
  up: {
    window: 0,
    select: 'Max',
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
  },
  down: { window: downStabilization, select: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
};

function rulesOf(given: HPAScalingRules | undefined, way: 'up' | 'down'): Rules {
  const usual = usually[way];
  return {
    window: given?.stabilizationWindowSeconds ?? usual.window,
    select: given?.selectPolicy ?? usual.select,
    policies: given?.policies?.length ? given.policies : usual.policies,
  };
}

const within: Said = { reason: 'DesiredWithinRange', message: 'the desired count is within the acceptable range' };
const tooFew: Said = {
  reason: 'TooFewReplicas',
  message: 'the desired replica count is less than the minimum replica count',
};
const tooMany: Said = {
  reason: 'TooManyReplicas',
  message: 'the desired replica count is more than the maximum replica count',
};
const tooFast: Readonly<Record<'up' | 'down', Said>> = {
  up: {
    reason: 'ScaleUpLimit',
    message: 'the desired replica count is increasing faster than the maximum scale rate',
  },
  down: {
    reason: 'ScaleDownLimit',
    message: 'the desired replica count is decreasing faster than the maximum scale rate',
  },
};
const heldUp: Said = {
  reason: 'ScaleDownStabilized',
  message: 'recent recommendations were higher than current one, applying the highest recent recommendation',
};
const heldDown: Said = {
  reason: 'ScaleUpStabilized',
  message: 'recent recommendations were lower than current one, applying the lowest recent recommendation',
};

/** `wanted` is what the metrics recommend; it is not part of the history yet. */
export function limitScale(
  { spec }: HorizontalPodAutoscaler,
  current: number,
  wanted: number,
  history: ScaleHistory,
  now: Instant,
): Limited {
  const bounds = { min: spec?.minReplicas ?? 1, max: spec?.maxReplicas ?? 1 };
  if (!spec?.behavior) {
    const steady = Math.max(wanted, ...recent(history.recommendations, downStabilization, now));
    return { ...bounded(current, steady, bounds), stabilized: steady === wanted ? undefined : heldUp };
  }
  const up = rulesOf(spec.behavior.scaleUp, 'up');
  const down = rulesOf(spec.behavior.scaleDown, 'down');
  const least = Math.min(wanted, ...recent(history.recommendations, up.window, now));
  const most = Math.max(wanted, ...recent(history.recommendations, down.window, now));
  const steady = Math.min(Math.max(current, least), most);
  const stabilized = steady === wanted ? undefined : wanted >= current ? heldDown : heldUp;
  return { ...rated(current, steady, bounds, { up, down }, history, now), stabilized };
}

function recent(recommendations: readonly Recommendation[], window: number, now: Instant): number[] {
  return recommendations.filter(({ at }) => at > now - window * 1_000).map(({ replicas }) => replicas);
}

interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** Without rules of its own an autoscaler doubles at most, or goes to four. */
function bounded(current: number, wanted: number, { min, max }: Bounds): Omit<Limited, 'stabilized'> {
  const fastest = Math.max(2 * current, 4);
  if (wanted < min) return { replicas: min, limited: { status: 'True', ...tooFew } };
  const most = Math.min(max, fastest);
  if (wanted > most) return { replicas: most, limited: { status: 'True', ...(max > fastest ? tooFast.up : tooMany) } };
  return { replicas: wanted, limited: { status: 'False', ...within } };
}

function rated(
  current: number,
  wanted: number,
  { min, max }: Bounds,
  { up, down }: { up: Rules; down: Rules },
  history: ScaleHistory,
  now: Instant,
): Omit<Limited, 'stabilized'> {
  if (wanted > current) {
    const fastest = Math.max(current, farthest(up, current, 'up', history, now));
    const most = Math.min(max, fastest);
    if (wanted > most)
      return { replicas: most, limited: { status: 'True', ...(max > fastest ? tooFast.up : tooMany) } };
  } else if (wanted < current) {
    const fastest = Math.min(current, farthest(down, current, 'down', history, now));
    const least = Math.max(min, fastest);
    if (wanted < least)
      return { replicas: least, limited: { status: 'True', ...(min < fastest ? tooFast.down : tooFew) } };
  }
  return { replicas: wanted, limited: { status: 'False', ...within } };
}

/** As far as the policies let the number go, seen from where each policy's period began. */
function farthest(
  { select, policies }: Rules,
  current: number,
  way: 'up' | 'down',
  history: ScaleHistory,
  now: Instant,
): number {
  if (select === 'Disabled') return current;
  const reached = policies.map(({ type, value, periodSeconds }) => {
    const start = current - changed(history.ups, periodSeconds, now) + changed(history.downs, periodSeconds, now);
    if (way === 'up') return type === 'Pods' ? start + value : Math.ceil((start * (100 + value)) / 100);
    return type === 'Pods' ? start - value : Math.trunc((start * (100 - value)) / 100);
  });
  // The smallest change upwards is the smallest number, downwards the largest.
  const wantsSmallest = (select === 'Min') === (way === 'up');
  return wantsSmallest ? Math.min(...reached) : Math.max(...reached);
}

const changed = (events: readonly ScaleEvent[], period: number, now: Instant): number =>
  events.filter(({ at }) => at > now - period * 1_000).reduce((sum, { change }) => sum + change, 0);

export const noHistory: ScaleHistory = { recommendations: [], ups: [], downs: [] };

/** Without what no rule looks back at any more. */
export function remember(
  history: ScaleHistory,
  now: Instant,
  more: { readonly recommended?: number; readonly change?: number },
): ScaleHistory {
  const keep = <T extends { readonly at: Instant }>(all: readonly T[]): T[] =>
    all.filter(({ at }) => at > now - longestWindow * 1_000);
  const { recommended, change = 0 } = more;
  return {
    recommendations: keep([
      ...history.recommendations,
      ...(recommended === undefined ? [] : [{ replicas: recommended, at: now }]),
    ]),
    ups: keep(change > 0 ? [...history.ups, { change, at: now }] : history.ups),
    downs: keep(change < 0 ? [...history.downs, { change: -change, at: now }] : history.downs),
  };
}
