// Versioned objects in memory with a history to watch: the storage below the fake API.
import type { Change } from '@kedge/core/control';
import { BoundedQueue, whenAborted } from '@kedge/core/flow';
import { compareVersions, type KubeObject, objectKey } from '@kedge/model/k8s';

export interface StoredChange {
  readonly type: 'added' | 'modified' | 'deleted';
  readonly collection: string;
  readonly object: KubeObject;
  readonly before: KubeObject | undefined;
  readonly version: number;
}

const historyLimit = 10_000;
const watchLimit = 20_000;

/** Objects by collection and key. What goes in and comes out is shared, so nobody may change it in place. */
export class FakeStore {
  readonly #collections = new Map<string, Map<string, KubeObject>>();
  readonly #watchers = new Set<(change: StoredChange) => void>();
  #history: StoredChange[] = [];
  #compactedTo = 0;
  #version = 0;

  get version(): string {
    return String(this.#version);
  }

  get(collection: string, key: string): KubeObject | undefined {
    return this.#collections.get(collection)?.get(key);
  }

  list(collection: string): KubeObject[] {
    return [...(this.#collections.get(collection)?.values() ?? [])];
  }

  /** Stores a new version and returns it. */
  put(collection: string, object: KubeObject): KubeObject {
    const before = this.get(collection, objectKey(object));
    const stored = this.#stamped(object);
    let objects = this.#collections.get(collection);
    if (!objects) this.#collections.set(collection, (objects = new Map()));
    objects.set(objectKey(stored), stored);
    this.#announce({ type: before ? 'modified' : 'added', collection, object: stored, before });
    return stored;
  }

  remove(collection: string, object: KubeObject): void {
    const before = this.get(collection, objectKey(object));
    if (!before) return;
    this.#collections.get(collection)!.delete(objectKey(object));
    this.#announce({ type: 'deleted', collection, object: this.#stamped(object), before });
  }

  /** Forgets the history, so that every watch from an older version is told that it expired. */
  compact(): void {
    this.#compactedTo = this.#version;
    this.#history = [];
  }

  /** Changes after `from`, as seen through a filter: an object that stops matching is deleted for that watcher. */
  async *watch(
    collection: string,
    from: string,
    matches: (object: KubeObject) => boolean,
    signal: AbortSignal,
  ): AsyncIterable<Change<KubeObject>> {
    if (compareVersions(from, String(this.#compactedTo)) < 0) return yield { type: 'expired' };
    const queue = new BoundedQueue<Change<KubeObject>>('watch', watchLimit);
    const offer = (change: StoredChange): void => {
      if (change.collection !== collection) return;
      const seen = asSeen(change, matches);
      if (seen) queue.push(seen);
    };
    for (const change of this.#history) if (compareVersions(String(change.version), from) > 0) offer(change);
    this.#watchers.add(offer);
    void whenAborted(signal).then(() => queue.close());
    try {
      yield* queue;
    } finally {
      this.#watchers.delete(offer);
    }
  }

  #stamped(object: KubeObject): KubeObject {
    this.#version += 1;
    return deepFreeze({ ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } });
  }

  #announce(change: Omit<StoredChange, 'version'>): void {
    const stored = { ...change, version: this.#version };
    this.#history.push(stored);
    if (this.#history.length > historyLimit) this.#compactedTo = this.#history.shift()!.version;
    for (const watcher of this.#watchers) watcher(stored);
  }
}

function asSeen(change: StoredChange, matches: (object: KubeObject) => boolean): Change<KubeObject> | undefined {
  const { type, object, before } = change;
  const resourceVersion = String(change.version);
  const was = before !== undefined && matches(before);
  if (type === 'deleted') return was ? { type, object, resourceVersion } : undefined;
  if (matches(object)) return { type: was ? 'modified' : 'added', object, resourceVersion };
  return was ? { type: 'deleted', object, resourceVersion } : undefined;
}

/** A test that changes a shared object in place fails where it does so. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
