// Which pods of a scale target say something about its load, and which only look as if they did. Pure.
import { type Duration, type Instant, minutes, parseTime, seconds } from '@kedge/core/time';
import type { Pod } from '@kedge/model/k8s-types';

/** What a pod uses, in thousandths. */
export interface PodReading {
  readonly value: number;
  readonly at: Instant;
  readonly window: Duration;
}

/** By the name of the pod. */
export type PodReadings = ReadonlyMap<string, PodReading>;

export interface PodGroups {
  readonly ready: number;
  /** Start up, or wait to: what they use now is not what they will. */
  readonly unready: ReadonlySet<string>;
  /** Should have a reading and have none. */
  readonly missing: ReadonlySet<string>;
  /** On their way out. */
  readonly ignored: ReadonlySet<string>;
}

/** After its start a pod's CPU usage counts only as far as it is ready. */
const cpuInitialization: Duration = minutes(5);
/** Readiness that was lost this soon after the start was never there. */
const initialReadinessDelay: Duration = seconds(30);

export function groupPods(
  pods: readonly Pod[],
  readings: ReadonlyMap<string, Pick<PodReading, 'at' | 'window'>>,
  resource: string,
  now: Instant,
): PodGroups {
  const unready = new Set<string>();
  const missing = new Set<string>();
  const ignored = new Set<string>();
  let ready = 0;
  for (const pod of pods) {
    const { name = '', deletionTimestamp } = pod.metadata;
    const reading = readings.get(name);
    if (deletionTimestamp !== undefined || pod.status?.phase === 'Failed') ignored.add(name);
    else if (pod.status?.phase === 'Pending') unready.add(name);
    else if (!reading) missing.add(name);
    else if (resource === 'cpu' && isStarting(pod, reading, now)) unready.add(name);
    else ready += 1;
  }
  return { ready, unready, missing, ignored };
}

function isStarting({ status }: Pod, { at, window }: Pick<PodReading, 'at' | 'window'>, now: Instant): boolean {
  const condition = status?.conditions?.find(({ type }) => type === 'Ready');
  const started = parseTime(status?.startTime);
  if (!condition || started === undefined) return true;
  const since = parseTime(condition.lastTransitionTime) ?? (0 as Instant);
  const isNotReady = condition.status === 'False';
  // A reading from before the pod became ready shows its start.
  if (started + cpuInitialization > now) return isNotReady || at < since + window;
  return isNotReady && started + initialReadinessDelay > since;
}
