// What a ReplicaSet does about the number of its pods. Pure.
import type { Pod, ReplicationController, ReplicaSet } from '@kedge/model/k8s-types';
import { rankForDeletion, type RankFacts } from '../pods/rank-pods.ts';

export type ReplicaPlan =
  | { readonly do: 'create'; readonly count: number }
  | { readonly do: 'delete'; readonly pods: readonly Pod[] }
  | { readonly do: 'nothing' };

/** No pass creates or deletes more than this; the next pass goes on. */
const burst = 500;

/** `pods` are the active pods of the set. */
export function planReplicas(
  { metadata, spec }: ReplicaSet | ReplicationController,
  pods: readonly Pod[],
  facts: RankFacts,
): ReplicaPlan {
  if (metadata.deletionTimestamp !== undefined) return { do: 'nothing' };
  const missing = (spec?.replicas ?? 1) - pods.length;
  if (missing > 0) return { do: 'create', count: Math.min(missing, burst) };
  if (missing === 0) return { do: 'nothing' };
  const surplus = Math.min(-missing, burst);
  return { do: 'delete', pods: rankForDeletion(pods, facts).slice(0, surplus) };
}
