// Looks for devices from a node that is somewhere else: a pod on that node searches and is taken away afterwards. So it works
// with any edgecore and any cluster, and whoever may not create pods there may not search there. Decision 0027.
import type { KubeApi } from '@kedge/engine/kube-client';
import { isStatus } from '@kedge/model/k8s';
import type { Pod } from '@kedge/model/k8s-types';
import { createRandom, systemClock } from '@kedge/platform/node';
import { milliseconds } from '@kedge/core/time';
import type { Found, SearchRequest } from './search-here.ts';
import { containerName, longestSeconds, readSearchLog, searchPod, searchState } from './search-pod.ts';

export interface SearchThere {
  readonly api: KubeApi;
  readonly node: string;
  readonly namespace: string;
  readonly image: string;
  readonly request: SearchRequest;
  readonly say: (line: string) => void;
}

const pods = { group: '', version: 'v1', resource: 'pods' } as const;
const nodes = { group: '', version: 'v1', resource: 'nodes' } as const;
const look = milliseconds(300);
/** A node that does not take the pod within this time is offline, or its edgecore is. */
const startLimitMs = 60_000;

export async function searchThere(search: SearchThere, signal: AbortSignal): Promise<readonly Found[]> {
  const { api, node, namespace, image, request, say } = search;
  await requireNode(api, node);
  const name = `kedge-discover-${createRandom().uuid().slice(0, 8)}`;
  await api.create(pods, namespace, searchPod({ name, namespace, node, image, request }), { signal });
  say(`searching from node ${node}, in pod ${namespace}/${name} ...`);
  try {
    const { ok, say: why } = await untilEnded(search, name, signal);
    const { status, body } = await api.raw(
      `/api/v1/namespaces/${namespace}/pods/${name}/log?container=${containerName}`,
      { signal },
    );
    if (status !== 200) {
      throw new Error(
        `the pod has searched, and its log cannot be read (HTTP ${status}): without "kubectl logs" for node ${node}, ` +
          'run "kedge device discover" on the node itself',
      );
    }
    const { found, rest } = readSearchLog(body);
    for (const line of rest) say(line);
    if (!ok) throw new Error(`the search on node ${node} failed${why === '' ? '' : `: ${why}`}`);
    return found;
  } finally {
    await api.delete(pods, { namespace, name }, { gracePeriodSeconds: 0 }).catch((error: unknown) => {
      if (!isStatus(error, 'NotFound')) say(`pod ${namespace}/${name} could not be taken away: ${String(error)}`);
    });
  }
}

async function requireNode(api: KubeApi, name: string): Promise<void> {
  try {
    await api.get(nodes, { name });
  } catch (error) {
    if (!isStatus(error, 'NotFound')) throw error;
    throw new Error(`there is no node "${name}": "kubectl get nodes" lists them`, { cause: error });
  }
}

async function untilEnded(
  { api, namespace, node, image }: SearchThere,
  name: string,
  signal: AbortSignal,
): Promise<{ readonly ok: boolean; readonly say: string }> {
  const begun = systemClock.monotonic();
  for (;;) {
    const pod = (await api.get(pods, { namespace, name }, { signal })) as Pod;
    const state = searchState(pod);
    if (state.at === 'ended') return state;
    if (state.at === 'hopeless') {
      throw new Error(
        `node ${node} has no image "${image}" (${state.say}): put it there with "kedge image build" and "ctr images import", ` +
          'or into a registry and name it with --image',
      );
    }
    const waited = systemClock.monotonic() - begun;
    if (pod.status?.phase !== 'Running' && waited > startLimitMs) {
      throw new Error(
        `node ${node} did not start the search within ${startLimitMs / 1_000} s (${state.say}): is it online?`,
      );
    }
    // The node ends it in time; one that has gone offline meanwhile does not say so.
    if (waited > startLimitMs + longestSeconds * 1_000) {
      throw new Error(`node ${node} has not said how the search ended: is it online?`);
    }
    await systemClock.sleep('the search on the node', look, signal);
  }
}
