// Hands statuses to the outbox, and only those that changed since the last one.
import type { Pod, PodStatus } from '@kedge/model/k8s-types';
import type { ObjectRef } from '@kedge/model/messages';
import { uidOf } from '../pod/pod-spec.ts';
import type { Outbox } from '../ports.ts';

export interface StatusReporter {
  report(pod: Pod, status: PodStatus): Promise<void>;
  askForRemoval(pod: Pod): Promise<void>;
  /** The next status counts as changed. */
  forget(uid: string): void;
}

export function createStatusReporter({ outbox }: { outbox: Pick<Outbox, 'podStatus' | 'podDelete'> }): StatusReporter {
  const reported = new Map<string, string>();
  return {
    async report(pod, status) {
      const uid = uidOf(pod);
      const text = JSON.stringify(status);
      if (reported.get(uid) === text) return;
      await outbox.podStatus({ ref: refOf(pod), uid, status });
      reported.set(uid, text);
    },
    askForRemoval: (pod) => outbox.podDelete({ ref: refOf(pod), uid: uidOf(pod) }),
    forget: (uid) => void reported.delete(uid),
  };
}

export const refOf = (pod: Pod): ObjectRef => ({
  type: 'pod',
  namespace: pod.metadata.namespace,
  name: pod.metadata.name ?? '',
});
