// The resource behind a kind, so that anything with a scale subresource can be scaled: built-in kinds are known, others
// are looked up in discovery and remembered for a while.
import { type Clock, type Duration, minutes } from '@kedge/core/time';
import { collections, type KubeApi } from '@kedge/engine/kube-client';
import { type GroupVersionResource, type KubeObject, parseApiVersion } from '@kedge/model/k8s';

const remembered = minutes(1);
const builtin = [collections.deployments, collections.replicaSets, collections.statefulSets];

export interface ScaleTargets {
  /** Undefined when nothing of that group and kind is served. */
  resourceOf(apiVersion: string, kind: string, signal: AbortSignal): Promise<GroupVersionResource | undefined>;
}

export function createScaleTargets({ api, clock }: { api: Pick<KubeApi, 'raw'>; clock: Clock }): ScaleTargets {
  const known = new Map<
    string,
    { readonly until: Duration; readonly found: Promise<GroupVersionResource | undefined> }
  >();

  async function lookUp(apiVersion: string, kind: string, signal: AbortSignal) {
    const path = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const { status, body } = await api.raw(path, { signal });
    if (status !== 200) return undefined;
    const { resources = [] } = JSON.parse(body) as { resources?: { name: string; kind: string }[] };
    const found = resources.find((one) => one.kind === kind && !one.name.includes('/'));
    return found && { ...parseApiVersion(apiVersion), resource: found.name };
  }

  return {
    async resourceOf(apiVersion, kind, signal) {
      const own = builtin.find((one) => one.apiVersion === apiVersion && one.kind === kind);
      if (own) return own;
      const key = `${apiVersion} ${kind}`;
      const before = known.get(key);
      if (before && before.until > clock.monotonic()) return before.found;
      if (known.size > 1_000) known.clear();
      const found = lookUp(apiVersion, kind, signal);
      found.catch(() => known.delete(key));
      known.set(key, { until: (clock.monotonic() + remembered) as Duration, found });
      return found;
    },
  };
}

export interface Scale extends KubeObject {
  readonly spec?: { readonly replicas?: number };
  readonly status?: { readonly replicas?: number; readonly selector?: string };
}
