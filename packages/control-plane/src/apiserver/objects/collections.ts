// Objects of one collection read straight from the store, for the server's own decisions. What is small and asked for with
// every write, such as a namespace or that it has no quotas, is read once and kept until its collection changes.
import type { KubeObject } from '@kedge/model/k8s';
import type { ObjectStore, StoredObject } from './object-store.ts';

/** What comes back may be shared with others: it is frozen. */
export interface Collections {
  get(collection: string, namespace: string, name: string): KubeObject | undefined;
  all<T>(collection: string): readonly T[];
  in(collection: string, namespace: string): readonly KubeObject[];
  /** Those of a namespace whose text holds `needle`; a quick way past objects that need not be parsed. */
  where<T>(collection: string, namespace: string, needle: string): Iterable<T>;
}

const pageRows = 200;
/** Characters of JSON text: of one answer, and of all that are kept. */
const keptAtMost = 32 * 1024;
const allKeptAtMost = 512 * 1024;
const answersAtMost = 1_000;

export function createCollections(store: ObjectStore): Collections {
  const kept = createKept(store);
  function* rows(resource: string, namespace: string | undefined): Iterable<StoredObject> {
    let after: StoredObject | undefined;
    const { revision } = store;
    for (;;) {
      const page = store.page({ resource, namespace, after, limit: pageRows, revision });
      yield* page;
      if (page.length < pageRows) return;
      after = page.at(-1);
    }
  }
  const list = (resource: string, namespace: string | undefined): readonly KubeObject[] =>
    kept.read(resource, namespace === undefined ? '' : `${namespace}/`, () => {
      let size = 0;
      const objects = Array.from(rows(resource, namespace), ({ body }) => {
        size += body.length;
        return parse(body);
      });
      return { value: objects, size };
    });
  return {
    get: (resource, namespace, name) =>
      kept.read(resource, `${namespace}/${name}`, () => {
        const stored = store.get({ resource, namespace, name });
        return stored ? { value: parse(stored.body), size: stored.body.length } : { value: undefined, size: 0 };
      }),
    all: <T>(collection: string) => list(collection, undefined) as readonly T[],
    in: (collection, namespace) => list(collection, namespace),
    *where<T>(collection: string, namespace: string, needle: string) {
      for (const { body } of rows(collection, namespace)) if (body.includes(needle)) yield parse(body) as T;
    },
  };
}

interface Kept {
  read<T>(resource: string, what: string, look: () => { readonly value: T; readonly size: number }): T;
}

function createKept(store: ObjectStore): Kept {
  const answers = new Map<string, { readonly value: unknown; readonly size: number; readonly generation: number }>();
  let total = 0;
  return {
    read<T>(resource: string, what: string, look: () => { value: T; size: number }): T {
      const key = `${resource} ${what}`;
      const generation = store.generation(resource);
      const known = answers.get(key);
      if (known?.generation === generation) return known.value as T;
      if (known && answers.delete(key)) total -= known.size;
      const { value, size } = look();
      freeze(value);
      if (size > keptAtMost) return value;
      // No order of use is kept: what is asked for with every write is back at once.
      if (total + size > allKeptAtMost || answers.size >= answersAtMost) {
        answers.clear();
        total = 0;
      }
      total += size;
      answers.set(key, { value, size, generation });
      return value;
    },
  };
}

const parse = (body: string): KubeObject => JSON.parse(body) as KubeObject;

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const part of Object.values(value)) freeze(part);
  Object.freeze(value);
}
