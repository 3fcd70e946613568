// Which Services a change concerns: what both endpoint controllers listen to.
import type { Index, Informer, Reconciler } from '@kedge/core/control';
import { objectKey } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';
import { matchesLabels } from '@kedge/model/k8s-selectors';
import type { Pod, Service } from '@kedge/model/k8s-types';
import { isReady } from '../pods/pod-state.ts';
import { serviceSelector } from './service-backends.ts';

export interface ServiceCopies {
  readonly services: Informer<Service>;
  readonly servicesByNamespace: Index<Service>;
  readonly pods: Informer<Pod>;
}

/** Enqueues the Services that a changed Service or pod touches. Returns how to stop. */
export function watchServices(
  { services, servicesByNamespace, pods }: ServiceCopies,
  queue: Pick<Reconciler, 'enqueue'>,
): (() => void)[] {
  const wakeFor = ({ metadata }: Pod): void => {
    for (const service of servicesByNamespace.get(metadata.namespace ?? '')) {
      const selector = serviceSelector(service);
      if (selector && matchesLabels(selector, metadata.labels)) queue.enqueue(objectKey(service));
    }
  };
  return [
    services.listen({
      onPut: (service) => queue.enqueue(objectKey(service)),
      onDelete: (service) => queue.enqueue(objectKey(service)),
    }),
    pods.listen({
      onPut(pod, before) {
        if (before && sameBackend(before, pod)) return;
        if (before && !jsonEqual(before.metadata.labels, pod.metadata.labels)) wakeFor(before);
        wakeFor(pod);
      },
      onDelete: wakeFor,
    }),
  ];
}

const sameBackend = (a: Pod, b: Pod): boolean =>
  a.metadata.uid === b.metadata.uid &&
  a.metadata.deletionTimestamp === b.metadata.deletionTimestamp &&
  a.spec?.nodeName === b.spec?.nodeName &&
  a.status?.phase === b.status?.phase &&
  isReady(a) === isReady(b) &&
  jsonEqual(a.status?.podIPs, b.status?.podIPs) &&
  a.status?.podIP === b.status?.podIP &&
  jsonEqual(a.metadata.labels, b.metadata.labels);
