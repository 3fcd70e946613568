// How a sandbox or container says which pod it belongs to. The io.kubernetes names are those of every kubelet, so that
// tools on the node know our containers; the site label keeps two edges on one runtime apart.
import { instant, milliseconds } from '@kedge/core/time';
import type { Container, Pod, ResourceRequirements } from '@kedge/model/k8s-types';
import type { RestartBackoff } from '../pod/restart-backoff.ts';

export const labels = {
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
  site: 'kedge.io/site',
} as const;

export const annotations = {
  hash: 'io.kubernetes.container.hash',
  restartCount: 'io.kubernetes.container.restartCount',
  terminationMessagePath: 'io.kubernetes.container.terminationMessagePath',
  terminationMessagePolicy: 'io.kubernetes.container.terminationMessagePolicy',
  gracePeriod: 'io.kubernetes.pod.terminationGracePeriod',
  /** What it was made with, to tell whether the pod wants something else by now. */
  resources: 'kedge.io/resources',
  /** The back-off that held when it was made, `<delay>@<set at>`: it survives edged and even the host. */
  backoff: 'kedge.io/restart-backoff',
} as const;

export const podLabels = (pod: Pod, site: string): Record<string, string> => ({
  ...pod.metadata.labels,
  [labels.podName]: pod.metadata.name ?? '',
  [labels.podNamespace]: pod.metadata.namespace ?? '',
  [labels.podUid]: pod.metadata.uid ?? '',
  [labels.site]: site,
});

export const containerLabels = (pod: Pod, container: Container, site: string): Record<string, string> => ({
  [labels.containerName]: container.name,
  [labels.podName]: pod.metadata.name ?? '',
  [labels.podNamespace]: pod.metadata.namespace ?? '',
  [labels.podUid]: pod.metadata.uid ?? '',
  [labels.site]: site,
});

export const containerAnnotations = (
  pod: Pod,
  container: Container,
  { restartCount, backoff }: { restartCount: number; backoff: RestartBackoff | undefined },
): Record<string, string> => ({
  [annotations.hash]: containerHash(container),
  [annotations.restartCount]: String(restartCount),
  [annotations.terminationMessagePath]: container.terminationMessagePath ?? defaultTerminationMessagePath,
  [annotations.terminationMessagePolicy]: container.terminationMessagePolicy ?? 'File',
  [annotations.gracePeriod]: String(pod.spec?.terminationGracePeriodSeconds ?? 30),
  ...(container.resources ? { [annotations.resources]: JSON.stringify(container.resources) } : {}),
  ...(backoff ? { [annotations.backoff]: `${backoff.delay}@${backoff.setAt}` } : {}),
});

export function parseBackoff(text: string | undefined): RestartBackoff | undefined {
  const [delay, setAt] = (text ?? '').split('@').map(Number);
  return delay && setAt ? { delay: milliseconds(delay), setAt: instant(setAt) } : undefined;
}

export function parseResources(text: string | undefined): ResourceRequirements | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as ResourceRequirements);
  } catch {
    return undefined;
  }
}

export const defaultTerminationMessagePath = '/dev/termination-log';

/**
 * Tells a container that runs what the pod asks for from one that does not any more. Covers what may change in a pod
 * that exists and needs a new container: its image.
 */
export function containerHash({ name, image }: Container): string {
  let hash = 0x811c9dc5;
  for (const char of new TextEncoder().encode(JSON.stringify({ name, image }))) {
    hash = Math.imul(hash ^ char, 0x01000193) >>> 0;
  }
  return hash.toString(16);
}
