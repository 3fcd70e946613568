// The objects this node is to have, one row each, as the cloud last said. Call the writing functions inside a
// transaction (`db.write`); what they return is what listeners have to be told once it is on disk.
import type { Database } from '@kedge/core/ports';
import type { KubeObject } from '@kedge/model/k8s';
import type { ObjectRef } from '@kedge/model/messages';
import { type ObjectVersion, supersedes } from './object-version.ts';

export interface StoredObject extends ObjectVersion {
  readonly ref: ObjectRef;
}

export type PutResult =
  | { readonly kept: false }
  /** `replaced` is set when another incarnation had the same name: it is gone. */
  | { readonly kept: true; readonly replaced: KubeObject | undefined };

interface Row {
  readonly type: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly version: string;
  readonly created: string;
  readonly body: string;
}

export interface ObjectStore {
  get(ref: ObjectRef): KubeObject | undefined;
  list(type: string): KubeObject[];
  /** Everything there is, without the objects themselves. */
  inventory(): StoredObject[];
  put(ref: ObjectRef, object: KubeObject): PutResult;
  /** Other content under the same version, if this incarnation is still there. */
  replace(ref: ObjectRef, uid: string, object: KubeObject): void;
  /** Undefined when there is no such object, or only another incarnation of it. */
  deleteIf(ref: ObjectRef, uid: string): KubeObject | undefined;
}

export function createObjectStore(db: Database): ObjectStore {
  const key = 'type = ? AND namespace = ? AND name = ?';
  const select = db.statement<Row>(`SELECT * FROM object WHERE ${key}`);
  const selectType = db.statement<Row>('SELECT * FROM object WHERE type = ?');
  const selectAll = db.statement<Omit<Row, 'body'>>('SELECT type, namespace, name, uid, version, created FROM object');
  const rewrite = db.statement(`UPDATE object SET body = ? WHERE ${key} AND uid = ?`);
  const insert = db.statement('INSERT OR REPLACE INTO object VALUES (?, ?, ?, ?, ?, ?, ?)');
  const remove = db.statement(`DELETE FROM object WHERE ${key}`);
  const keyOf = (ref: ObjectRef): [string, string, string] => [ref.type, ref.namespace ?? '', ref.name];
  const parse = (row: Row): KubeObject => JSON.parse(row.body) as KubeObject;

  return {
    get(ref) {
      const row = select.get(...keyOf(ref));
      return row && parse(row);
    },
    list: (type) => selectType.all(type).map(parse),
    inventory: () =>
      selectAll.all().map(({ type, namespace, name, uid, version, created }) => ({
        ref: { type, namespace: namespace || undefined, name },
        uid,
        version,
        created,
      })),
    put(ref, object) {
      const stored = select.get(...keyOf(ref));
      const next = versionOf(object);
      if (!supersedes(next, stored)) return { kept: false };
      insert.run(...keyOf(ref), next.uid, next.version, next.created, JSON.stringify(object));
      return { kept: true, replaced: stored && stored.uid !== next.uid ? parse(stored) : undefined };
    },
    replace(ref, uid, object) {
      rewrite.run(JSON.stringify(object), ...keyOf(ref), uid);
    },
    deleteIf(ref, uid) {
      const stored = select.get(...keyOf(ref));
      if (!stored || stored.uid !== uid) return undefined;
      remove.run(...keyOf(ref));
      return parse(stored);
    },
  };
}

const versionOf = ({ metadata }: KubeObject): ObjectVersion => ({
  uid: metadata.uid ?? '',
  version: metadata.resourceVersion ?? '',
  created: metadata.creationTimestamp ?? '',
});

const kinds: Readonly<Record<string, string>> = {
  pod: 'Pod',
  configmap: 'ConfigMap',
  secret: 'Secret',
  node: 'Node',
  persistentvolume: 'PersistentVolume',
  persistentvolumeclaim: 'PersistentVolumeClaim',
};

/** As it is kept: with its kind, which upstream leaves out of some answers, and without managedFields, which nobody at the edge reads. */
export function toKept(type: string, object: KubeObject): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata;
  const kind = kinds[type];
  return { ...(kind === undefined ? {} : { apiVersion: 'v1', kind }), ...object, metadata };
}
