// Who owns whom, over every kind: objects by uid with links to their dependents. Owners that are only known from a
// reference are in the graph too, marked as unverified. Decides nothing, reads and writes nothing.
import type { GroupVersionResource, KubeObject, OwnerReference } from '@kedge/model/k8s';

export const foregroundFinalizer = 'foregroundDeletion';
export const orphanFinalizer = 'orphan';

/** Enough to read an object from the API. */
export interface Coordinates {
  readonly of: GroupVersionResource;
  readonly namespace: string | undefined;
  readonly name: string;
}

export interface GraphNode {
  readonly uid: string;
  /** Undefined for an owner that nothing but a reference speaks of. */
  readonly at: Coordinates | undefined;
  readonly owners: readonly OwnerReference[];
  readonly isLeaving: boolean;
  /** Is being deleted and waits until its dependents are gone. */
  readonly waitsForDependents: boolean;
  /** Is being deleted and its dependents are to be kept. */
  readonly leavesOrphans: boolean;
}

interface Entry {
  node: GraphNode;
  dependents: Set<string> | undefined;
}

export class OwnershipGraph {
  readonly #entries = new Map<string, Entry>();

  get(uid: string): GraphNode | undefined {
    return this.#entries.get(uid)?.node;
  }

  get size(): number {
    return this.#entries.size;
  }

  dependents(uid: string): GraphNode[] {
    const uids = this.#entries.get(uid)?.dependents ?? [];
    return [...uids].flatMap((one) => this.get(one) ?? []);
  }

  /** The dependents whose reference forbids that their owner goes before them. */
  blocking(uid: string): GraphNode[] {
    return this.dependents(uid).filter(({ owners }) =>
      owners.some((owner) => owner.uid === uid && owner.blockOwnerDeletion === true),
    );
  }

  /** Takes in a version of an object; returns what was known of it. */
  put(of: GroupVersionResource, { metadata }: KubeObject): { node: GraphNode; before: GraphNode | undefined } {
    const { uid = '', namespace, name = '', ownerReferences = [], deletionTimestamp, finalizers = [] } = metadata;
    const isLeaving = deletionTimestamp !== undefined;
    const node: GraphNode = {
      uid,
      at: { of, namespace, name },
      owners: ownerReferences,
      isLeaving,
      waitsForDependents: isLeaving && finalizers.includes(foregroundFinalizer),
      leavesOrphans: isLeaving && finalizers.includes(orphanFinalizer),
    };
    const entry = this.#entries.get(uid);
    const before = entry?.node;
    if (entry) entry.node = node;
    else this.#entries.set(uid, { node, dependents: undefined });
    this.#relink(uid, before?.owners ?? [], ownerReferences);
    return { node, before: before?.at ? before : undefined };
  }

  /** Takes an object out. Its dependents stay linked to it by their references, as to an owner that is not there. */
  remove(uid: string): void {
    const entry = this.#entries.get(uid);
    if (!entry) return;
    this.#relink(uid, entry.node.owners, []);
    entry.node = unverified(uid);
    this.#tidy(uid);
  }

  #relink(uid: string, before: readonly OwnerReference[], after: readonly OwnerReference[]): void {
    for (const owner of before) {
      if (after.some((other) => other.uid === owner.uid)) continue;
      this.#entries.get(owner.uid)?.dependents?.delete(uid);
      this.#tidy(owner.uid);
    }
    for (const owner of after) {
      let entry = this.#entries.get(owner.uid);
      if (!entry) this.#entries.set(owner.uid, (entry = { node: unverified(owner.uid), dependents: undefined }));
      (entry.dependents ??= new Set()).add(uid);
    }
  }

  /** An owner that does not exist is remembered as long as something refers to it. */
  #tidy(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry && !entry.node.at && !entry.dependents?.size) this.#entries.delete(uid);
  }
}

const unverified = (uid: string): GraphNode => ({
  uid,
  at: undefined,
  owners: [],
  isLeaving: false,
  waitsForDependents: false,
  leavesOrphans: false,
});
