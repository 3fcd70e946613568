// When a part of a site counts as up, as seen from outside: through the API and the container runtime.
import type { KubeApi } from '@kedge/engine/kube-client';
import { type KubeObject } from '@kedge/model/k8s';
import { openGrpcChannel } from '@kedge/platform/grpc';
import { ContainerState, createCri } from '@kedge/wire/cri';
import { waitFor } from './wait-for.ts';
import { sampleName } from './workload.ts';

const nodeLimitMs = 90_000;
const podLimitMs = 120_000;

/** Why waiting is in vain; undefined while there is hope. */
export type Hopeless = () => string | undefined;

export async function readJoinToken(api: KubeApi): Promise<string | undefined> {
  const secret = await api.get(
    { group: '', version: 'v1', resource: 'secrets' },
    { namespace: 'kubeedge', name: 'tokensecret' },
  );
  const data = (secret['data'] as Record<string, string> | undefined)?.['tokendata'];
  return data === undefined ? undefined : Buffer.from(data, 'base64').toString('utf8');
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastHeartbeatTime?: string;
}

export const conditionOf = (object: KubeObject, type: string): Condition | undefined =>
  (object['status'] as { conditions?: Condition[] } | undefined)?.conditions?.find((one) => one.type === type);

/** A Node kept from an earlier run says Ready from then: only what is reported after this start counts. */
export async function waitForNode(api: KubeApi, node: string, hopeless: Hopeless, signal: AbortSignal): Promise<void> {
  const startedAt = Math.floor(Date.now() / 1_000) * 1_000;
  let say = 'it has not registered yet';
  const look = async (): Promise<true | undefined> => {
    const object = await api.get({ group: '', version: 'v1', resource: 'nodes' }, { name: node });
    const ready = conditionOf(object, 'Ready');
    const reportedAt = Date.parse(ready?.lastHeartbeatTime ?? '');
    say =
      !ready || !(reportedAt >= startedAt)
        ? 'it has not reported yet'
        : `${ready.reason ?? ''}: ${ready.message ?? ''}`;
    return ready?.status === 'True' && reportedAt >= startedAt ? true : undefined;
  };
  const what = `node ${node} becoming Ready`;
  try {
    await waitFor(look, { what, limitMs: nodeLimitMs, signal, hopeless });
  } catch (error) {
    throw new Error(`${what} (${say})`, { cause: error });
  }
}

/** Waits for the sample, if it is still wanted, by what runs in the runtime and not by what an earlier run reported. */
export async function waitForSample(api: KubeApi, runtimeSocket: string, signal: AbortSignal): Promise<void> {
  const sample = { namespace: 'default', name: sampleName };
  const deployment = await api
    .get({ group: 'apps', version: 'v1', resource: 'deployments' }, sample)
    .catch(() => undefined);
  if (((deployment?.['spec'] as { replicas?: number } | undefined)?.replicas ?? 0) === 0) return;
  const look = async (): Promise<true | undefined> => {
    const running = await runningContainers(runtimeSocket);
    const selection = { namespace: 'default', labelSelector: `app.kubernetes.io/name=${sampleName}` };
    const { items } = await api.list({ group: '', version: 'v1', resource: 'pods' }, selection);
    return items.some((pod) => isRunning(pod, running)) ? true : undefined;
  };
  await waitFor(look, { what: `the sample pod "${sampleName}" running`, limitMs: podLimitMs, signal });
}

function isRunning(pod: KubeObject, running: ReadonlySet<string>): boolean {
  const status = pod['status'] as { phase?: string; containerStatuses?: { containerID?: string }[] } | undefined;
  const ids = (status?.containerStatuses ?? []).map(({ containerID = '' }) => containerID.replace('containerd://', ''));
  return status?.phase === 'Running' && ids.length > 0 && ids.every((id) => running.has(id));
}

async function runningContainers(socketPath: string): Promise<ReadonlySet<string>> {
  const channel = openGrpcChannel({ socketPath });
  try {
    const filter = { state: { state: ContainerState.CONTAINER_RUNNING } };
    const { containers } = await createCri(channel).listContainers({ filter });
    return new Set(containers.map(({ id }) => id));
  } finally {
    channel.close();
  }
}
