// When a pod has to leave its node because of NoExecute taints. Pure.
import { type Instant, parseTime, plus, seconds } from '@kedge/core/time';
import { toleratedSeconds } from '@kedge/model/k8s-scheduling';
import type { Node, Pod } from '@kedge/model/k8s-types';

/**
 * The moment; undefined when the pod may stay. Counted from when the taint was added, so that a restart of ours neither
 * shortens nor lengthens anybody's time.
 */
export function evictionDue(pod: Pod, node: Node, now: Instant): Instant | undefined {
  let due: Instant | undefined;
  for (const taint of node.spec?.taints ?? []) {
    const tolerated = toleratedSeconds([taint], pod.spec?.tolerations);
    if (tolerated === undefined) continue;
    const since = parseTime(taint.timeAdded) ?? now;
    const at = tolerated === 0 ? now : plus(since, seconds(tolerated));
    if (due === undefined || at < due) due = at;
  }
  return due;
}
