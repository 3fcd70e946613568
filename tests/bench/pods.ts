// The pods that are measured: one small container each.
import { setTimeout as pause } from 'node:timers/promises';
import type { KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import { createCri } from '@kedge/wire/cri';
import { openGrpcChannel } from '@kedge/platform/grpc';

export const podImage = 'docker.io/library/busybox:1.35';
const pods = { group: '', version: 'v1', resource: 'pods' };

interface PodStatus {
  readonly phase?: string;
  readonly containerStatuses?: readonly { readonly containerID?: string }[];
}

const podOf = (name: string, command: readonly string[]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: {
    terminationGracePeriodSeconds: 0,
    automountServiceAccountToken: false,
    restartPolicy: command[0] === 'sleep' ? 'Always' : 'Never',
    containers: [{ name: 'main', image: podImage, imagePullPolicy: 'IfNotPresent', command: [...command] }],
  },
});

const waits = ['sleep', '100000'];

/** Milliseconds from the create call to Running as a watcher sees it. */
export async function podStart(api: KubeApi, name: string): Promise<number> {
  const [took = Number.NaN] = await podStarts(api, [name]);
  return took;
}

/** As `podStart`, of pods that are created at once; in the order in which they ran. */
export async function podStarts(api: KubeApi, names: readonly string[]): Promise<readonly number[]> {
  const began = new Map<string, number>();
  const took: number[] = [];
  const missing = new Set(names);
  for await (const { object } of created(api, names, waits, began)) {
    const name = object.metadata?.name ?? '';
    if ((object['status'] as PodStatus | undefined)?.phase !== 'Running' || !missing.delete(name)) continue;
    took.push(performance.now() - began.get(name)!);
    if (missing.size === 0) return took;
  }
  throw new Error(`the watch ended before these ran: ${[...missing].join(', ')}`);
}

/**
 * Milliseconds from the end of a container, by the clock of the runtime, to Succeeded as a watcher sees it. It runs for about
 * `seconds`.
 */
export async function podEnd(api: KubeApi, runtimeSocket: string, name: string, seconds: number): Promise<number> {
  const channel = openGrpcChannel({ socketPath: runtimeSocket });
  try {
    for await (const { object } of created(api, [name], ['usleep', String(Math.round(seconds * 1e6))])) {
      const status = object['status'] as PodStatus | undefined;
      if (status?.phase !== 'Succeeded') continue;
      const seen = Date.now();
      const containerId = /\/\/(.*)$/.exec(status.containerStatuses?.[0]?.containerID ?? '')?.[1] ?? '';
      const { status: ended } = await createCri(channel).containerStatus({ containerId });
      return seen - Number(ended?.finishedAt ?? 0n) / 1e6;
    }
  } finally {
    channel.close();
  }
  throw new Error(`the watch on ${name} ended before it did`);
}

/** Makes the pods and gives what a watch tells of them, until its reader stops. */
async function* created(
  api: KubeApi,
  names: readonly string[],
  command: readonly string[],
  began = new Map<string, number>(),
): AsyncGenerator<{ readonly object: KubeObject }> {
  const stop = new AbortController();
  try {
    const { resourceVersion } = await api.list(pods, { namespace: 'default' });
    const changes = api.watch(pods, { namespace: 'default' }, resourceVersion, stop.signal);
    const making = Promise.all(
      names.map((name) => {
        began.set(name, performance.now());
        return api.create(pods, 'default', podOf(name, command));
      }),
    );
    making.catch(() => stop.abort());
    const mine = new Set(names);
    for await (const change of changes) {
      if (change.type !== 'modified' && change.type !== 'added') continue;
      if (mine.has(change.object.metadata?.name ?? '')) yield change;
    }
    await making;
  } finally {
    stop.abort();
  }
}

export const removePod = (api: KubeApi, name: string): Promise<void> => removePods(api, [name]);

/** Until none of them is there. */
export async function removePods(api: KubeApi, names: readonly string[]): Promise<void> {
  await Promise.all(names.map((name) => api.delete(pods, { namespace: 'default', name })));
  const mine = new Set(names);
  for (;;) {
    const { items } = await api.list(pods, { namespace: 'default' });
    if (!items.some(({ metadata }) => mine.has(metadata?.name ?? ''))) return;
    await pause(50);
  }
}
