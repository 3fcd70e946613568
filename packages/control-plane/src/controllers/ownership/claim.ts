// Which objects belong to a controller: its own that still match, orphans that match (adopted), none that stopped to (released).
import type { KubeApi } from '@kedge/engine/kube-client';
import { type GroupVersionResource, isStatus, type ObjectMeta, type OwnerReference } from '@kedge/model/k8s';
import { type LabelSelector, matchesLabels } from '@kedge/model/k8s-selectors';
import { controllerOf } from './controller-ref.ts';

interface Claimable {
  readonly metadata: ObjectMeta;
}

export interface ClaimPlan<T> {
  readonly keep: readonly T[];
  readonly adopt: readonly T[];
  readonly release: readonly T[];
}

/** What `owner` should do about each candidate. An owner that is being deleted keeps what it has and takes nothing new. */
export function planClaims<T extends Claimable>(
  owner: Claimable,
  selector: LabelSelector,
  candidates: Iterable<T>,
): ClaimPlan<T> {
  const keep: T[] = [];
  const adopt: T[] = [];
  const release: T[] = [];
  const isLeaving = owner.metadata.deletionTimestamp !== undefined;
  for (const candidate of candidates) {
    const controller = controllerOf(candidate);
    const matches = matchesLabels(selector, candidate.metadata.labels);
    if (controller?.uid === owner.metadata.uid) {
      if (matches) keep.push(candidate);
      else if (!isLeaving) release.push(candidate);
    } else if (!controller && matches && !isLeaving && candidate.metadata.deletionTimestamp === undefined) {
      adopt.push(candidate);
    }
  }
  return { keep, adopt, release };
}

export interface Claims<T extends Claimable> {
  readonly api: KubeApi;
  /** Collection of the candidates. */
  readonly of: GroupVersionResource;
  readonly reference: OwnerReference;
  /** Reads the owner afresh: nothing may be adopted by an owner that is gone or leaving. */
  readonly isOwnerAlive: () => Promise<boolean>;
  readonly plan: ClaimPlan<T>;
  /** What the owner puts on everything it has, so that nothing goes before it knows. */
  readonly finalizer?: string;
}

/** Carries a plan out; returns what belongs to the owner now. */
export async function carryOutClaims<T extends Claimable>(claims: Claims<T>, signal: AbortSignal): Promise<T[]> {
  const { plan, isOwnerAlive } = claims;
  const adopting = plan.adopt.length > 0 && (await isOwnerAlive());
  const adopted: T[] = [];
  for (const object of adopting ? plan.adopt : []) {
    const held = claims.finalizer === undefined ? {} : { finalizers: [claims.finalizer] };
    if (await patchMetadata(claims, object, { ownerReferences: [claims.reference], ...held }, signal))
      adopted.push(object);
  }
  for (const object of plan.release) {
    const freed = claims.finalizer === undefined ? {} : { '$deleteFromPrimitiveList/finalizers': [claims.finalizer] };
    const ownerReferences = [{ $patch: 'delete', uid: claims.reference.uid }];
    await patchMetadata(claims, object, { ownerReferences, ...freed }, signal);
  }
  return [...plan.keep, ...adopted];
}

/** False when the object went away or was replaced meanwhile. */
async function patchMetadata(
  { api, of }: Claims<never> | Claims<Claimable>,
  { metadata }: Claimable,
  change: object,
  signal: AbortSignal,
): Promise<boolean> {
  const patch = JSON.stringify({ metadata: { uid: metadata.uid, ...change } });
  try {
    await api.patch(of, { namespace: metadata.namespace, name: metadata.name ?? '' }, 'strategic', patch, { signal });
    return true;
  } catch (error) {
    // Invalid and Conflict: another incarnation, or another controller was faster.
    if (isStatus(error, 'NotFound') || isStatus(error, 'Invalid') || isStatus(error, 'Conflict')) return false;
    throw error;
  }
}
