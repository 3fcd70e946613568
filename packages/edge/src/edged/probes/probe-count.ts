// Turns single answers into a verdict: so many failures in a row, or so many successes, change it. Pure.
import type { ProbeResult } from './run-probe.ts';

export interface ProbeCount {
  readonly verdict: boolean | undefined;
  readonly streak: 'success' | 'failure' | undefined;
  readonly length: number;
}

export const noAnswers: ProbeCount = { verdict: undefined, streak: undefined, length: 0 };

export function countAnswer(
  count: ProbeCount,
  answer: ProbeResult['is'],
  { successThreshold = 1, failureThreshold = 3 }: { successThreshold?: number; failureThreshold?: number },
): ProbeCount {
  if (answer === 'unknown') return count;
  const length = count.streak === answer ? count.length + 1 : 1;
  const needed = answer === 'success' ? successThreshold : failureThreshold;
  return { verdict: length >= needed ? answer === 'success' : count.verdict, streak: answer, length };
}
