// What a controller wrote and its local copy does not show yet, so that it neither creates nor deletes anything twice.
import { compareVersions, type ObjectMeta } from '@kedge/model/k8s';

interface Written<T> {
  /** By uid; kept until the copy has come as far as the object's version. */
  readonly created: Map<string, T>;
  /** Uids that were deleted; kept until the copy shows it. */
  readonly deleted: Set<string>;
}

export class OwnWrites<T extends { readonly metadata: ObjectMeta }> {
  readonly #copy: { readonly version: string | undefined };
  readonly #byOwner = new Map<string, Written<T>>();

  constructor(copy: { readonly version: string | undefined }) {
    this.#copy = copy;
  }

  created(owner: string, object: T): void {
    this.#of(owner).created.set(object.metadata.uid ?? '', object);
  }

  deleted(owner: string, { metadata }: T): void {
    this.#of(owner).deleted.add(metadata.uid ?? '');
  }

  /** The owner is gone. */
  forget(owner: string): void {
    this.#byOwner.delete(owner);
  }

  /** The owner's objects as they are after its own writes; what it deleted is shown as on its way out. */
  view(owner: string, seen: Iterable<T>): T[] {
    const own = this.#byOwner.get(owner);
    if (!own) return [...seen];
    const all = new Map<string, T>();
    for (const object of seen) all.set(object.metadata.uid ?? '', object);
    for (const [uid, object] of own.created) {
      if (all.has(uid) || compareVersions(this.#copy.version, object.metadata.resourceVersion) >= 0)
        own.created.delete(uid);
      else all.set(uid, object);
    }
    for (const uid of own.deleted) {
      const object = all.get(uid);
      if (object === undefined || object.metadata.deletionTimestamp !== undefined) own.deleted.delete(uid);
      else all.set(uid, leaving(object));
    }
    if (own.created.size === 0 && own.deleted.size === 0) this.#byOwner.delete(owner);
    return [...all.values()];
  }

  #of(owner: string): Written<T> {
    let own = this.#byOwner.get(owner);
    if (!own) this.#byOwner.set(owner, (own = { created: new Map(), deleted: new Set() }));
    return own;
  }
}

const leaving = <T extends { readonly metadata: ObjectMeta }>(object: T): T => {
  const { metadata } = object;
  return { ...object, metadata: { ...metadata, deletionTimestamp: metadata.creationTimestamp ?? '' } };
};
