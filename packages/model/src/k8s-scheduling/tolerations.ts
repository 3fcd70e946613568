// Taints of nodes and tolerations of pods.
import type { Taint, Toleration } from '../k8s-types/index.ts';

/** An empty key with `Exists` tolerates every taint, an absent effect every effect. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  const { key = '', operator = 'Equal', value = '', effect = '' } = toleration;
  if (effect !== '' && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  if (operator === 'Exists') return true;
  return operator === 'Equal' && key !== '' && value === (taint.value ?? '');
}

/** The first taint of one of the effects that nothing tolerates. */
export const findUntolerated = (
  taints: readonly Taint[] | undefined,
  tolerations: readonly Toleration[] | undefined,
  effects: readonly string[],
): Taint | undefined =>
  taints?.find(
    (taint) => effects.includes(taint.effect) && !tolerations?.some((toleration) => tolerates(toleration, taint)),
  );

/**
 * How long a pod may stay on a node with these NoExecute taints: 0 when one is not tolerated at all, undefined when all
 * are tolerated for ever, else the shortest tolerationSeconds.
 */
export function toleratedSeconds(
  taints: readonly Taint[],
  tolerations: readonly Toleration[] = [],
): number | undefined {
  let shortest: number | undefined;
  for (const taint of taints.filter(({ effect }) => effect === 'NoExecute')) {
    const matching = tolerations.filter((toleration) => tolerates(toleration, taint));
    if (matching.length === 0) return 0;
    for (const { tolerationSeconds } of matching) {
      if (tolerationSeconds === undefined) continue;
      shortest = Math.min(shortest ?? Infinity, Math.max(0, tolerationSeconds));
    }
  }
  return shortest;
}
