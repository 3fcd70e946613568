// What becomes of an object, given how its owners stand. Pure.
import type { OwnerReference } from '@kedge/model/k8s';
import type { GraphNode } from './ownership-graph.ts';

/** How one owner of an object stands. */
export type OwnerState =
  | 'here'
  /** Is not there, or another object has its name now. */
  | 'absent'
  /** Is being deleted in the foreground: it goes once its dependents have gone. */
  | 'waiting'
  /** Cannot be told, as when its kind is not served at the moment. */
  | 'unknown';

export interface OwnerStanding {
  readonly owner: OwnerReference;
  readonly state: OwnerState;
}

export type Collection =
  | { readonly do: 'keep' }
  /** Somebody still needs it: only the references to the others are taken away. */
  | { readonly do: 'dropReferences'; readonly uids: readonly string[] }
  | { readonly do: 'delete'; readonly how: 'Background' | 'Foreground' | 'Orphan' }
  | { readonly do: 'lookAgain' };

export function planCollection(
  node: GraphNode,
  finalizers: readonly string[],
  owners: readonly OwnerStanding[],
  hasDependents: boolean,
): Collection {
  if (owners.length === 0 || node.isLeaving) return { do: 'keep' };
  const standing = (state: OwnerState) => owners.filter((one) => one.state === state);
  const spent = [...standing('absent'), ...standing('waiting')];
  if (standing('here').length > 0) {
    if (spent.length === 0) return { do: 'keep' };
    return { do: 'dropReferences', uids: spent.map(({ owner }) => owner.uid) };
  }
  // Nothing is deleted on a guess.
  if (standing('unknown').length > 0) return { do: 'lookAgain' };
  if (standing('waiting').length > 0 && hasDependents) return { do: 'delete', how: 'Foreground' };
  if (finalizers.includes('orphan')) return { do: 'delete', how: 'Orphan' };
  if (finalizers.includes('foregroundDeletion')) return { do: 'delete', how: 'Foreground' };
  return { do: 'delete', how: 'Background' };
}
