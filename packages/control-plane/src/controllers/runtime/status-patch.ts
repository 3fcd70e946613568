// Writes the status of an object: a merge patch of the status subresource, and only when something changed.
import type { GroupVersionResource, KubeObject } from '@kedge/model/k8s';
import { isObject, jsonEqual } from '@kedge/model/k8s-patch';
import type { KubeApi } from '@kedge/engine/kube-client';

/** Counters that Kubernetes leaves out when they are zero; everything else is written as it is. */
function withoutZeros(status: object, keep: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(status).filter(([field, value]) => value !== undefined && (value !== 0 || keep.includes(field))),
  );
}

/** The patch that turns one status into another; undefined when they mean the same. */
function statusPatch(before: object | undefined, after: object, keepZeros: readonly string[]): string | undefined {
  const was = withoutZeros(before ?? {}, keepZeros);
  const is = withoutZeros(after, keepZeros);
  const changed: Record<string, unknown> = {};
  for (const field of Object.keys({ ...was, ...is })) {
    if (!jsonEqual(was[field], is[field])) changed[field] = is[field] ?? null;
    // A merge patch merges objects; their lost members have to be named.
    const [old, now] = [was[field], is[field]];
    if (field in changed && isObject(old) && isObject(now)) {
      changed[field] = { ...Object.fromEntries(Object.keys(old).map((name) => [name, null])), ...now };
    }
  }
  return Object.keys(changed).length === 0 ? undefined : JSON.stringify({ status: changed });
}

/** Writes `status` if it differs from what the object has; returns the version it got by that. */
export async function writeStatus(
  api: KubeApi,
  of: GroupVersionResource,
  object: Pick<KubeObject, 'metadata'> & { readonly status?: object },
  status: object,
  { keepZeros = [], signal }: { keepZeros?: readonly string[]; signal: AbortSignal },
): Promise<string | undefined> {
  const patch = statusPatch(object.status, status, keepZeros);
  if (patch === undefined) return undefined;
  const { namespace, name = '' } = object.metadata;
  const written = await api.patch(of, { namespace, name, subresource: 'status' }, 'merge', patch, { signal });
  return written.metadata.resourceVersion;
}
