// The history of a controller's template as ControllerRevisions, which `kubectl rollout history` and `undo` read.
import { collections, type KubeApi } from '@kedge/engine/kube-client';
import { isStatus, type KubeObject, type ObjectMeta, type OwnerReference } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';
import type { ControllerRevision, PodTemplateSpec } from '@kedge/model/k8s-types';
import { templateHash } from '../pods/template-hash.ts';

/** The part of an object that a revision restores, as a strategic merge patch. */
const revisionData = (template: PodTemplateSpec | undefined): Record<string, unknown> => ({
  spec: { template: { ...template, $patch: 'replace' } },
});

export interface Owner {
  readonly metadata: ObjectMeta;
  readonly template: PodTemplateSpec | undefined;
  readonly reference: OwnerReference;
  readonly collisionCount: number;
}

export type CurrentRevision =
  | { readonly ok: true; readonly revision: ControllerRevision }
  /** The name is taken by another revision. */
  | { readonly ok: false };

/** Finds or creates the revision of the owner's template and makes it the newest. */
export async function currentRevision(
  api: KubeApi,
  owner: Owner,
  history: readonly ControllerRevision[],
  signal: AbortSignal,
): Promise<CurrentRevision> {
  const data = revisionData(owner.template);
  const newest = Math.max(0, ...history.map(({ revision }) => revision));
  const found = history
    .filter((one) => jsonEqual(one.data, data))
    .toSorted(byRevision)
    .at(-1);
  if (found) {
    if (found.revision === newest) return { ok: true, revision: found };
    const renumbered = { ...found, revision: newest + 1 } as KubeObject;
    return {
      ok: true,
      revision: (await api.update(collections.controllerRevisions, renumbered, { signal })) as ControllerRevision,
    };
  }
  return createRevision(api, owner, data, newest + 1, signal);
}

async function createRevision(
  api: KubeApi,
  { metadata, template, reference, collisionCount }: Owner,
  data: Record<string, unknown>,
  revision: number,
  signal: AbortSignal,
): Promise<CurrentRevision> {
  const hash = templateHash(template, collisionCount);
  const { namespace } = metadata;
  const name = `${metadata.name}-${hash}`;
  const created: ControllerRevision = {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { ...template?.metadata?.labels, 'controller-revision-hash': hash },
      ...(metadata.annotations ? { annotations: metadata.annotations } : {}),
      ownerReferences: [reference],
    },
    data,
    revision,
  };
  try {
    return {
      ok: true,
      revision: (await api.create(collections.controllerRevisions, namespace, created, {
        signal,
      })) as ControllerRevision,
    };
  } catch (error) {
    if (!isStatus(error, 'AlreadyExists')) throw error;
    const other = (await api.get(
      collections.controllerRevisions,
      { namespace, name },
      { signal },
    )) as ControllerRevision;
    const isOurs =
      other.metadata.ownerReferences?.some(({ uid }) => uid === reference.uid) && jsonEqual(other.data, data);
    return isOurs ? { ok: true, revision: other } : { ok: false };
  }
}

/** Revisions that are neither in use nor within the limit, oldest first. */
function planRevisionCleanup(
  history: readonly ControllerRevision[],
  limit: number,
  inUse: ReadonlySet<string>,
): ControllerRevision[] {
  const idle = history.filter((one) => !inUse.has(revisionHash(one))).toSorted(byRevision);
  return idle.slice(0, Math.max(0, idle.length - limit));
}

/** Deletes what the plan above names. */
export async function deleteOldRevisions(
  api: KubeApi,
  history: readonly ControllerRevision[],
  limit: number,
  inUse: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  for (const { metadata } of planRevisionCleanup(history, limit, inUse)) {
    const { namespace, name = '', uid = '' } = metadata;
    try {
      await api.delete(collections.controllerRevisions, { namespace, name }, { uid, signal });
    } catch (error) {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    }
  }
}

export const revisionHash = ({ metadata }: ControllerRevision): string =>
  metadata.labels?.['controller-revision-hash'] ?? '';

const byRevision = (a: ControllerRevision, b: ControllerRevision): number => a.revision - b.revision;
