// How many pods the controllers of some pods want: what a disruption budget measures shares and absences against.
import type { KubeApi } from '@kedge/engine/kube-client';
import { type GroupVersionResource, isStatus, type OwnerReference } from '@kedge/model/k8s';
import type { Pod } from '@kedge/model/k8s-types';
import { controllerOf } from '../ownership/controller-ref.ts';
import type { Scale, ScaleTargets } from '../runtime/scale-targets.ts';

export type PodScale =
  | {
      readonly ok: true;
      readonly replicas: number;
      /** Names of pods that nobody manages: they are not in the number. */
      readonly unmanaged: readonly string[];
    }
  | { readonly ok: false; readonly why: string };

export interface PodScaleDeps {
  readonly api: KubeApi;
  readonly targets: ScaleTargets;
  /** The well-known controllers, from local copies: by uid; undefined for every other one. */
  readonly known: (pod: Pod) => { readonly uid: string; readonly replicas: number } | undefined;
}

/** Each controller counts once, however many of the pods it has. */
export async function podScale(
  { api, targets, known }: PodScaleDeps,
  pods: readonly Pod[],
  signal: AbortSignal,
): Promise<PodScale> {
  const wanted = new Map<string, number>();
  const asked = new Set<string>();
  const unmanaged: string[] = [];
  for (const pod of pods) {
    const owner = controllerOf(pod);
    if (!owner) {
      unmanaged.push(pod.metadata.name ?? '');
      continue;
    }
    if (asked.has(owner.uid)) continue;
    asked.add(owner.uid);
    const found = known(pod) ?? (await scaleOf(owner, pod.metadata.namespace ?? '', { api, targets }, signal));
    if (typeof found === 'string') return { ok: false, why: found };
    if (!found) return { ok: false, why: `found no controllers for pod "${pod.metadata.name}"` };
    wanted.set(found.uid, found.replicas);
  }
  return { ok: true, replicas: [...wanted.values()].reduce((sum, one) => sum + one, 0), unmanaged };
}

/** What the scale subresource of any other controller says; a sentence when it has none. */
async function scaleOf(
  { apiVersion, kind, name, uid }: OwnerReference,
  namespace: string,
  { api, targets }: Pick<PodScaleDeps, 'api' | 'targets'>,
  signal: AbortSignal,
): Promise<{ uid: string; replicas: number } | string | undefined> {
  const of = await targets.resourceOf(apiVersion, kind, signal);
  if (!of) return `no matches for kind "${kind}" in version "${apiVersion}"`;
  try {
    const scale: Scale = await api.get(of, { namespace, name, subresource: 'scale' }, { signal });
    return scale.metadata.uid === uid ? { uid, replicas: scale.spec?.replicas ?? 0 } : undefined;
  } catch (error) {
    if (!isStatus(error, 'NotFound') && !isStatus(error, 'MethodNotAllowed')) throw error;
    return (await exists(of, namespace, name, api, signal))
      ? `${of.group ? `${of.resource}.${of.group}` : of.resource} does not implement the scale subresource`
      : undefined;
  }
}

async function exists(
  of: GroupVersionResource,
  namespace: string,
  name: string,
  api: KubeApi,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await api.get(of, { namespace, name }, { signal });
    return true;
  } catch (error) {
    if (isStatus(error, 'NotFound')) return false;
    throw error;
  }
}
