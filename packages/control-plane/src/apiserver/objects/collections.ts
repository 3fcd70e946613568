// Objects of one collection read straight from the store, for the server's own decisions.
import type { KubeObject } from '@kedge/model/k8s';
import type { ObjectStore, StoredObject } from './object-store.ts';

export interface Collections {
  get(collection: string, namespace: string, name: string): KubeObject | undefined;
  all<T>(collection: string): T[];
  in(collection: string, namespace: string): KubeObject[];
  /** Those of a namespace whose text holds `needle`; a quick way past objects that need not be parsed. */
  where<T>(collection: string, namespace: string, needle: string): Iterable<T>;
}

const pageRows = 200;

export function createCollections(store: ObjectStore): Collections {
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
  const parse = <T>({ body }: StoredObject): T => JSON.parse(body) as T;
  return {
    get(resource, namespace, name) {
      const stored = store.get({ resource, namespace, name });
      return stored && parse(stored);
    },
    all: <T>(collection: string) => Array.from(rows(collection, undefined), (row) => parse<T>(row)),
    in: (collection, namespace) => Array.from(rows(collection, namespace), (row) => parse<KubeObject>(row)),
    *where(collection, namespace, needle) {
      for (const row of rows(collection, namespace)) if (row.body.includes(needle)) yield parse(row);
    },
  };
}
