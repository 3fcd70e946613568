// What a server serves: one entry per resource, in the version it prefers.
import { type GroupVersionResource, parseApiVersion } from '@kedge/model/k8s';
import type { APIGroupList, APIResourceList } from '@kedge/model/k8s-types';
import type { KubeApi } from './kube-api.ts';
import { kubeClientErrors } from './kube-client-errors.ts';

export interface DiscoveredResource extends GroupVersionResource {
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

export interface Discovered {
  readonly resources: readonly DiscoveredResource[];
  /** Group versions that could not be read; their resources may be missing above. */
  readonly failed: readonly { readonly groupVersion: string; readonly problem: string }[];
}

export async function discoverResources(api: Pick<KubeApi, 'raw'>, signal: AbortSignal): Promise<Discovered> {
  const groups = (await readJson<APIGroupList>(api, '/apis', signal)).groups ?? [];
  // The preferred version of each group first, so that it wins over the others below.
  const versions = groups.flatMap(({ versions, preferredVersion }) => {
    const names = versions.map(({ groupVersion }) => groupVersion);
    const preferred = preferredVersion?.groupVersion;
    return preferred === undefined ? names : [preferred, ...names.filter((name) => name !== preferred)];
  });
  const found = new Map<string, DiscoveredResource>();
  const failed: { groupVersion: string; problem: string }[] = [];
  for (const groupVersion of ['v1', ...versions]) {
    try {
      for (const resource of await readVersion(api, groupVersion, signal)) {
        const key = `${resource.group}/${resource.resource}`;
        if (!found.has(key)) found.set(key, resource);
      }
    } catch (error) {
      if (signal.aborted) throw error;
      failed.push({ groupVersion, problem: error instanceof Error ? error.message : String(error) });
    }
  }
  return { resources: [...found.values()], failed };
}

async function readVersion(api: Pick<KubeApi, 'raw'>, groupVersion: string, signal: AbortSignal) {
  const path = groupVersion.includes('/') ? `/apis/${groupVersion}` : `/api/${groupVersion}`;
  const { resources = [] } = await readJson<APIResourceList>(api, path, signal);
  return resources
    .filter(({ name }) => !name.includes('/'))
    .map(({ name, kind, namespaced, verbs }) => ({
      ...parseApiVersion(groupVersion),
      resource: name,
      kind,
      namespaced,
      verbs,
    }));
}

async function readJson<T>(api: Pick<KubeApi, 'raw'>, path: string, signal: AbortSignal): Promise<T> {
  const { status, body } = await api.raw(path, { signal });
  if (status !== 200) throw kubeClientErrors.DISCOVERY_FAILED({ path, status });
  return JSON.parse(body) as T;
}
