// All scores with their weights.
import { balancedAllocation, imageLocality, leastAllocated, preferredNodes, softTaints } from './node-scores.ts';
import { preferredPods, softSpread } from './pod-scores.ts';
import type { Score } from './score.ts';

export const scores: readonly Score[] = [
  softTaints,
  preferredNodes,
  leastAllocated,
  balancedAllocation,
  imageLocality,
  preferredPods,
  softSpread,
];
