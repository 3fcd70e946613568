// What this node is to run and to have: pods in memory and on disk, everything else on disk only. Changes come from
// the cloud; those who listen are told once the change survives a crash.
import type { Database } from '@kedge/core/ports';
import type { Log } from '@kedge/core/log';
import { explain } from '@kedge/core/errors';
import type { KubeObject, NodeName } from '@kedge/model/k8s';
import { podReferences } from '@kedge/model/k8s-pods';
import type { Pod, PodStatus } from '@kedge/model/k8s-types';
import type { ObjectRef } from '@kedge/model/messages';
import type { ObjectStore, StoredObject } from './object-store.ts';
import { toKept } from './object-store.ts';

export interface ObjectListener<T> {
  onPut(object: T): void;
  onDelete(last: T): void;
}

export interface DesiredObjects {
  readonly pods: {
    list(): readonly Pod[];
    get(uid: string): Pod | undefined;
    listen(listener: ObjectListener<Pod>): () => void;
  };
  get(ref: ObjectRef): KubeObject | undefined;
  inventory(): StoredObject[];
  listen(type: string, listener: ObjectListener<KubeObject>): () => void;
  /** Resolves when the object is on disk; an older version than the stored one changes nothing. */
  put(ref: ObjectRef, object: KubeObject): Promise<void>;
  /** The cloud has this status of a pod; what it knew beside stays. Nobody is told: it was reported from here. */
  noteStatus(ref: ObjectRef, uid: string, status: PodStatus): Promise<void>;
  /** Resolves when the object is gone from the disk; another incarnation of it stays. */
  delete(ref: ObjectRef, uid: string): Promise<void>;
}

export interface DesiredObjectsDeps {
  readonly db: Database;
  readonly store: ObjectStore;
  readonly log: Log;
  readonly node: NodeName;
  /** Runs in the transaction that removes a pod. */
  readonly forgetPod: (uid: string) => void;
}

export function createDesiredObjects({ db, store, log, node, forgetPod }: DesiredObjectsDeps): DesiredObjects {
  const pods = new Map<string, Pod>();
  const listeners = new Map<string, Set<ObjectListener<KubeObject>>>();
  for (const pod of store.list('pod')) pods.set(pod.metadata.uid ?? '', pod as Pod);

  const tell = (type: string, how: (listener: ObjectListener<KubeObject>) => void): void => {
    for (const listener of listeners.get(type) ?? []) {
      try {
        how(listener);
      } catch (error) {
        log.error('a listener of objects failed', { kind: type, reason: explain(error) });
      }
    }
  };
  const listen = (type: string, listener: ObjectListener<KubeObject>): (() => void) => {
    const ofType = listeners.get(type) ?? new Set();
    listeners.set(type, ofType.add(listener));
    return () => ofType.delete(listener);
  };
  const changed = (ref: ObjectRef, object: KubeObject): void => {
    if (ref.type === 'pod') pods.set(object.metadata.uid ?? '', object as Pod);
    tell(ref.type, (listener) => listener.onPut(object));
  };
  const gone = (ref: ObjectRef, last: KubeObject): void => {
    if (ref.type === 'pod') pods.delete(last.metadata.uid ?? '');
    tell(ref.type, (listener) => listener.onDelete(last));
  };

  /**
   * The cloud tells about ConfigMaps and Secrets only while a pod here uses them. A copy that no pod uses any more would
   * silently grow old and later be served to a new pod, so it goes with its last user.
   */
  function removeUnreferenced(): { ref: ObjectRef; last: KubeObject }[] {
    const used = new Set(
      (store.list('pod') as Pod[]).flatMap((pod) =>
        podReferences(pod).map(({ type, name }) => textOf({ type, namespace: pod.metadata.namespace, name })),
      ),
    );
    const removed: { ref: ObjectRef; last: KubeObject }[] = [];
    for (const { ref, uid } of store.inventory()) {
      if ((ref.type !== 'configmap' && ref.type !== 'secret') || used.has(textOf(ref))) continue;
      const last = store.deleteIf(ref, uid);
      if (last) removed.push({ ref, last });
    }
    return removed;
  }

  return {
    pods: {
      list: () => [...pods.values()],
      get: (uid) => pods.get(uid),
      listen: (listener) => listen('pod', listener as ObjectListener<KubeObject>),
    },
    get: (ref) => store.get(ref),
    inventory: () => store.inventory(),
    listen,
    async put(ref, pushed) {
      const object = toKept(ref.type, pushed);
      if (ref.type === 'pod' && (object as Pod).spec?.nodeName !== node) {
        log.warn('pod of another node ignored', { namespace: ref.namespace, pod: ref.name });
        return;
      }
      const result = await db.write(() => {
        const put = store.put(ref, object);
        if (put.kept && put.replaced && ref.type === 'pod') forgetPod(put.replaced.metadata.uid ?? '');
        return put;
      });
      if (!result.kept) return;
      if (result.replaced) gone(ref, result.replaced);
      changed(ref, object);
    },
    async noteStatus(ref, uid, status) {
      // What is stored may be newer than what is in memory: a pod on its way to the disk must not be set back.
      const noted = await db.write(() => {
        const stored = store.get(ref) as Pod | undefined;
        if (stored?.metadata.uid !== uid) return undefined;
        const pod: Pod = { ...stored, status: withStatus(stored.status, status) };
        store.replace(ref, uid, pod);
        return pod;
      });
      if (noted) pods.set(uid, noted);
    },
    async delete(ref, uid) {
      const removed = await db.write(() => {
        const last = store.deleteIf(ref, uid);
        if (!last) return [];
        if (ref.type !== 'pod') return [{ ref, last }];
        forgetPod(uid);
        return [{ ref, last }, ...removeUnreferenced()];
      });
      for (const { ref: of, last } of removed) gone(of, last);
    },
  };
}

/** As the cloud has merged it: conditions by their type, everything else as a whole. */
function withStatus(before: PodStatus = {}, reported: PodStatus): PodStatus {
  const types = new Set(reported.conditions?.map(({ type }) => type));
  const others = before.conditions?.filter(({ type }) => !types.has(type)) ?? [];
  const { reason: _, message: __, ...kept } = before;
  return { ...kept, ...reported, conditions: [...others, ...(reported.conditions ?? [])] };
}

const textOf = (ref: ObjectRef): string => `${ref.type}/${ref.namespace ?? ''}/${ref.name}`;
