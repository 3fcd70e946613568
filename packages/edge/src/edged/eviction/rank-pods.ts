// Which pod goes first when the node runs short: those that use more than they asked for, then the less important, then
// those furthest over. Source: "Pod selection for kubelet eviction" in the Kubernetes documentation.
import type { Pod } from '@kedge/model/k8s-types';
import { podRequests } from '@kedge/model/k8s-scheduling';
import { specOf, uidOf } from '../pod/pod-spec.ts';

/** What pods use of what is short, by uid; a pod without an entry counts as using nothing. */
export type Usage = ReadonlyMap<string, number>;

/** Priorities from here on belong to the system: such pods are never evicted. */
const systemCritical = 2_000_000_000;

export const isCritical = (pod: Pod): boolean =>
  (specOf(pod).priority ?? 0) >= systemCritical || pod.metadata.annotations?.['kubernetes.io/config.source'] === 'file';

/** `resource`: as requests name it; undefined where nobody requests it (inodes, processes): then importance decides. */
export function rankForEviction(pods: readonly Pod[], usage: Usage, resource: string | undefined): Pod[] {
  const measured = pods
    .filter((pod) => !isCritical(pod))
    .map((pod) => {
      const used = usage.get(uidOf(pod)) ?? 0;
      const requested = resource === undefined ? 0 : (podRequests(pod.spec).get(resource) ?? 0);
      return { pod, over: used - requested, priority: specOf(pod).priority ?? 0 };
    });
  return measured
    .toSorted((a, b) => {
      const exceeds = Number(b.over > 0) - Number(a.over > 0);
      if (resource !== undefined && exceeds !== 0) return exceeds;
      return a.priority - b.priority || b.over - a.over || (uidOf(a.pod) < uidOf(b.pod) ? -1 : 1);
    })
    .map(({ pod }) => pod);
}
