// The pod that is measured: one small container that waits.
import type { KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';

export const podImage = 'docker.io/library/busybox:1.35';
const pods = { group: '', version: 'v1', resource: 'pods' };

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const podOf = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: {
    terminationGracePeriodSeconds: 0,
    automountServiceAccountToken: false,
    containers: [{ name: 'main', image: podImage, imagePullPolicy: 'IfNotPresent', command: ['sleep', '100000'] }],
  },
});

/** Milliseconds from the create call to Running as a watcher sees it. */
export async function podStart(api: KubeApi, name: string): Promise<number> {
  const stop = new AbortController();
  const { resourceVersion } = await api.list(pods, { namespace: 'default' });
  const selection = { namespace: 'default', fieldSelector: `metadata.name=${name}` };
  const changes = api.watch(pods, selection, resourceVersion, stop.signal);
  const began = performance.now();
  await api.create(pods, 'default', podOf(name));
  for await (const change of changes) {
    if (change.type !== 'modified' && change.type !== 'added') continue;
    if ((change.object['status'] as { phase?: string } | undefined)?.phase !== 'Running') continue;
    const took = performance.now() - began;
    stop.abort();
    return took;
  }
  throw new Error(`the watch on ${name} ended before it ran`);
}

export async function removePod(api: KubeApi, name: string): Promise<void> {
  await api.delete(pods, { namespace: 'default', name });
  for (;;) {
    const { items } = await api.list(pods, { namespace: 'default', fieldSelector: `metadata.name=${name}` });
    if (items.length === 0) return;
    await pause(50);
  }
}
