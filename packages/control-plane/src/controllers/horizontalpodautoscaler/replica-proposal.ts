// How many replicas a metric asks for. Pure. Pods without a reading are taken for whatever moves the number least.
import type { Pod } from '@kedge/model/k8s-types';
import type { Instant } from '@kedge/core/time';
import { groupPods, type PodReadings } from './pod-groups.ts';

/** Deviations within this part of the target are noise. */
const tolerance = 0.1;
const isWithinTolerance = (ratio: number): boolean => ratio >= 1 - tolerance && ratio <= 1 + tolerance;

export interface Proposal {
  readonly replicas: number;
  /** Percent of what is requested, for targets that are a utilization. */
  readonly utilization?: number;
  /** Average per pod, in thousandths. */
  readonly average: number;
}

/** A number, or why there is none. */
export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string };
export const value = <T>(of: T): Result<T> => ({ ok: true, value: of });
export const none = (why: string): Result<never> => ({ ok: false, why });

export interface PodFacts {
  readonly current: number;
  readonly pods: readonly Pod[];
  readonly readings: PodReadings;
  /** CPU counts differently while pods start. */
  readonly resource: string;
  readonly now: Instant;
}

interface Measured {
  readonly ratio: number;
  readonly utilization?: number;
  readonly average: number;
}

interface Rule {
  /** Undefined when no reading belongs to a pod that can be measured. */
  readonly measure: (values: ReadonlyMap<string, number>) => Measured | undefined;
  /** What a pod without reading is taken to use when the target would shrink. */
  readonly worst: (pod: string) => number;
}

/** `target` is a percentage of `requests`, which are thousandths by pod. */
export function proposeByUtilization(
  facts: PodFacts,
  requests: ReadonlyMap<string, number>,
  target: number,
): Result<Proposal> {
  return propose(facts, {
    measure(values) {
      let used = 0;
      let requested = 0;
      let count = 0;
      for (const [pod, amount] of values) {
        const request = requests.get(pod);
        if (request === undefined) continue;
        used += amount;
        requested += request;
        count += 1;
      }
      if (requested === 0) return undefined;
      const utilization = Math.trunc((used * 100) / requested);
      return { ratio: utilization / target, utilization, average: Math.trunc(used / count) };
    },
    worst: (pod) => ((requests.get(pod) ?? 0) * Math.max(100, target)) / 100,
  });
}

/** `target` is an average per pod, in thousandths. */
export const proposeByAverage = (facts: PodFacts, target: number): Result<Proposal> =>
  propose(facts, {
    measure(values) {
      if (values.size === 0) return undefined;
      const average = Math.trunc([...values.values()].reduce((sum, one) => sum + one, 0) / values.size);
      return { ratio: average / target, average };
    },
    worst: () => target,
  });

function propose({ current, pods, readings, resource, now }: PodFacts, { measure, worst }: Rule): Result<Proposal> {
  if (pods.length === 0) return none('no pods returned by selector while calculating replica count');
  const { ready, unready, missing, ignored } = groupPods(pods, readings, resource, now);
  const counted = [...readings].filter(([pod]) => !ignored.has(pod) && !unready.has(pod));
  const values = new Map(counted.map(([pod, reading]) => [pod, reading.value]));
  if (values.size === 0) return none('did not receive metrics for targeted pods (pods might be unready)');
  const first = measure(values);
  if (!first) return none('no metrics returned matched known pods');
  const { ratio, utilization, average } = first;
  const said = { average, ...(utilization === undefined ? {} : { utilization }) };
  const growsWithUnready = unready.size > 0 && ratio > 1;
  if (!growsWithUnready && missing.size === 0) {
    return value({ replicas: isWithinTolerance(ratio) ? current : Math.ceil(ratio * ready), ...said });
  }
  for (const pod of missing) if (ratio !== 1) values.set(pod, ratio < 1 ? worst(pod) : 0);
  if (growsWithUnready) for (const pod of unready) values.set(pod, 0);
  const cautious = measure(values)?.ratio ?? 1;
  const hasTurned = (ratio < 1 && cautious > 1) || (ratio > 1 && cautious < 1);
  if (isWithinTolerance(cautious) || hasTurned) return value({ replicas: current, ...said });
  const replicas = Math.ceil(cautious * values.size);
  // Never against the direction that the readings point in.
  const isBackwards = (cautious < 1 && replicas > current) || (cautious > 1 && replicas < current);
  return value({ replicas: isBackwards ? current : replicas, ...said });
}

/** For a metric of something else than the pods: `ready` pods share the load. */
export function proposeByRatio(current: number, ratio: number, ready: number): number {
  if (current === 0) return Math.ceil(ratio);
  return isWithinTolerance(ratio) ? current : Math.ceil(ratio * ready);
}

/** For such a metric with a target per pod. */
export function proposePerPod(replicas: number, used: number, target: number): Proposal {
  const isFine = replicas > 0 && isWithinTolerance(used / (target * replicas));
  return {
    replicas: isFine ? replicas : Math.ceil(used / target),
    average: replicas > 0 ? Math.ceil(used / replicas) : used,
  };
}
