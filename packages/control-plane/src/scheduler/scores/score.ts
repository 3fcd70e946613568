// What a score is: how well each of the possible nodes suits the pod, from 0 to 100.
import type { ClusterFacts } from '../filters/filter.ts';
import type { NodeFacts } from '../state/node-facts.ts';
import type { PodFacts } from '../state/pod-facts.ts';

export interface Score {
  readonly name: string;
  readonly weight: number;
  /** One number per node, in order; undefined when the score does not concern the pod. */
  readonly rate: (pod: PodFacts, nodes: readonly NodeFacts[], cluster: ClusterFacts) => readonly number[] | undefined;
}

export const best = 100;

/** Raw numbers to 0..100, the largest being best. */
export function normalize(raw: readonly number[]): number[] {
  const max = Math.max(0, ...raw);
  return raw.map((value) => (max === 0 ? 0 : (value / max) * best));
}

/** The same with the smallest being best. */
export const normalizeReversed = (raw: readonly number[]): number[] => normalize(raw).map((value) => best - value);

/** Spreads raw numbers, which may be negative, over 0..100. */
export function normalizeRange(raw: readonly number[]): number[] {
  const min = Math.min(...raw);
  const range = Math.max(...raw) - min;
  return raw.map((value) => (range === 0 ? 0 : ((value - min) / range) * best));
}

/** Costs to 0..100, the cheapest being best; a node without a cost is out of the question as long as another has one. */
export function normalizeCosts(costs: readonly (number | undefined)[]): number[] {
  const known = costs.flatMap((cost) => (cost === undefined ? [] : Math.round(cost)));
  const [least, most] = [Math.min(...known), Math.max(0, ...known)];
  return costs.map((cost) => {
    if (cost === undefined) return 0;
    return most === 0 ? best : ((most + least - Math.round(cost)) / most) * best;
  });
}
