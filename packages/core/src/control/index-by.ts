// Finds the objects of an informer by something other than their key: pods by node, by owner, by namespace.
import type { Informer } from './informer.ts';

export interface Index<T> {
  /** The objects under a value, in no particular order; do not keep the iterator across an await. */
  get(value: string): Iterable<T>;
  /** Every value that has objects. */
  values(): Iterable<string>;
}

/** Keeps an index of references beside the informer's copy, current before any later listener hears of a change. */
export function indexBy<T>(
  informer: Pick<Informer<T>, 'listen'>,
  keyOf: (object: T) => string,
  valuesOf: (object: T) => readonly string[],
): Index<T> {
  const groups = new Map<string, Map<string, T>>();
  /** What each object was indexed under, since its last state may say otherwise. */
  const placed = new Map<string, readonly string[]>();

  const remove = (key: string): void => {
    for (const value of placed.get(key) ?? []) {
      const group = groups.get(value);
      group?.delete(key);
      if (group?.size === 0) groups.delete(value);
    }
    placed.delete(key);
  };
  informer.listen({
    onPut(object) {
      const key = keyOf(object);
      remove(key);
      const values = valuesOf(object);
      placed.set(key, values);
      for (const value of values) {
        let group = groups.get(value);
        if (!group) groups.set(value, (group = new Map()));
        group.set(key, object);
      }
    },
    onDelete: (last) => remove(keyOf(last)),
  });
  return { get: (value) => groups.get(value)?.values() ?? [], values: () => groups.keys() };
}
