// What every node is known to have of every object: a copy in memory, kept in ObjectSync and ClusterObjectSync objects so
// that another or a restarted cloudcore knows it too. Acknowledgements change the copy at once and the API later, merged
// per object: a write lost in a crash only makes the same version be sent once more.
import { createReconciler, done, type Informer, type Next } from '@kedge/core/control';
import { KeyedMutex } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import { type Clock, milliseconds, seconds } from '@kedge/core/time';
import type { KubeApi } from '@kedge/engine/kube-client';
import { compareVersions, isStatus, type KubeObject, type NodeName, type Uid } from '@kedge/model/k8s';
import { clusterObjectSyncs, type ObjectSync, objectSyncs } from '@kedge/model/kubeedge';
import type { Deliveries } from './node-outbox.ts';
import { type Push, uidOf } from './push.ts';

/** Long enough to merge the changes of a starting pod into one write. */
const writeAfter = milliseconds(500);

const writesAtATime = 8;

/** Nothing was sent, so nothing is lost but a needless repetition after a restart. */
const advanceAfter = seconds(5);
/** Of a Device, whose values change all the time. */
const advanceDeviceAfter = seconds(60);

export interface LedgerEntry {
  readonly node: NodeName;
  readonly uid: Uid;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly kind: string;
  readonly apiVersion: string;
  /** `"0"`: sent, but never acknowledged. */
  readonly version: string;
}

interface Row extends LedgerEntry {
  version: string;
  /** What the API has; undefined: no object yet. */
  written: string | undefined;
  /** What we wrote last: hearing of it again from the watch is no news. */
  ours: string | undefined;
  /** Of the sync object after our last write: what the watch tells of it until then is old. */
  revision: string | undefined;
  /** The node has no copy any more: the sync object is to go. */
  gone: boolean;
}

/** Started once all that is on record is known. */
export interface Ledger extends Deliveries, Module {
  entries(): Iterable<LedgerEntry>;
  entriesOf(node: NodeName): LedgerEntry[];
  nodes(): Set<NodeName>;
  /**
   * The node may have lost what it acknowledged. Resolves when that is on record, so that not even a crash right after
   * makes anybody believe the old acknowledgements.
   */
  distrust(node: NodeName, signal: AbortSignal): Promise<void>;
  /** The node is gone, and so is what is on record about it. */
  forget(node: NodeName): void;
}

export interface LedgerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly kube: KubeApi;
  readonly syncs: Informer<KubeObject>;
  readonly clusterSyncs: Informer<KubeObject>;
}

export function createLedger({ clock, log, kube, syncs, clusterSyncs }: LedgerDeps): Ledger {
  const rows = new Map<string, Row>();

  const oneAtATime = new KeyedMutex();
  const writeOnce = (key: string, signal: AbortSignal): Promise<Next> => oneAtATime.run(key, () => write(key, signal));
  const writer = createReconciler({
    name: 'delivery ledger',
    clock,
    log,
    reconcile: writeOnce,
    parallel: writesAtATime,
  });

  const collectionOf = (row: Row) => (row.namespace === undefined ? clusterObjectSyncs : objectSyncs);

  async function write(key: string, signal: AbortSignal): Promise<Next> {
    const row = rows.get(key);
    if (!row) return done;
    if (row.gone) {
      await kube
        .delete(collectionOf(row), { namespace: row.namespace, name: key }, { signal })
        .catch(ignore('NotFound'));
      forgetRow(key, row);
      return done;
    }
    if (row.written === row.version) return done;
    if (row.written === undefined) await create(row, signal);
    const version = row.version;
    row.ours = version;
    const document = JSON.stringify({ status: { objectResourceVersion: version } });
    try {
      const target = { namespace: row.namespace, name: key, subresource: 'status' };
      const patched = await kube.patch(collectionOf(row), target, 'merge', document, { signal });
      row.written = version;
      row.revision = patched.metadata.resourceVersion;
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
      // Somebody deleted it, or its namespace is going: with the namespace, the object itself goes too.
      if (row.written === undefined) return done;
      row.written = undefined;
      return write(key, signal);
    }
    return done;
  }

  /** Another row may have taken its place meanwhile. */
  function forgetRow(key: string, row: Row): void {
    if (rows.get(key) === row) rows.delete(key);
  }

  async function create(row: Row, signal?: AbortSignal): Promise<void> {
    const object: ObjectSync = {
      apiVersion: 'reliablesyncs.kubeedge.io/v1alpha1',
      kind: row.namespace === undefined ? 'ClusterObjectSync' : 'ObjectSync',
      metadata: {
        name: keyOf(row.node, row.uid),
        ...(row.namespace === undefined ? {} : { namespace: row.namespace }),
      },
      spec: { objectAPIVersion: row.apiVersion, objectKind: row.kind, objectName: row.name },
    };
    try {
      const created = await kube.create(collectionOf(row), row.namespace, object, signal ? { signal } : {});
      row.revision = created.metadata.resourceVersion;
    } catch (error) {
      // A namespace that is going takes no new objects, but its pods still have to hear that they are to end.
      if (isStatus(error, 'Forbidden') || isStatus(error, 'NotFound')) return;
      if (!isStatus(error, 'AlreadyExists')) throw error;
    }
    row.written = '0';
  }

  function rowOf(node: NodeName, push: Push): Row {
    const key = keyOf(node, uidOf(push));
    const known = rows.get(key);
    if (known && !known.gone) return known;
    const row: Row = {
      node,
      uid: uidOf(push),
      namespace: push.ref.namespace,
      name: push.ref.name,
      kind: push.object.kind ?? '',
      apiVersion: push.object.apiVersion ?? '',
      version: '0',
      written: undefined,
      ours: undefined,
      revision: undefined,
      gone: false,
    };
    rows.set(key, row);
    return row;
  }

  function learn(object: KubeObject): void {
    const sync = object as ObjectSync;
    const key = sync.metadata.name ?? '';
    const version = sync.status?.objectResourceVersion || '0';
    const known = rows.get(key);
    if (known) {
      if (compareVersions(sync.metadata.resourceVersion, known.revision) <= 0) return;
      known.written = version;
      // Another cloudcore may have delivered something newer.
      if (version !== known.ours && compareVersions(version, known.version) > 0) known.version = version;
      return;
    }
    const dot = key.lastIndexOf('.');
    if (dot <= 0) return;
    rows.set(key, {
      node: key.slice(0, dot) as NodeName,
      uid: key.slice(dot + 1) as Uid,
      namespace: sync.metadata.namespace,
      name: sync.spec?.objectName ?? '',
      kind: sync.spec?.objectKind ?? '',
      apiVersion: sync.spec?.objectAPIVersion ?? '',
      version,
      written: version,
      ours: undefined,
      revision: sync.metadata.resourceVersion,
      gone: false,
    });
  }

  /** A record that vanished without us is as good as never written: the object will be sent again. */
  function unlearn({ metadata: { name = '', resourceVersion } }: KubeObject): void {
    // We may have made it anew since.
    if (compareVersions(rows.get(name)?.revision, resourceVersion) <= 0) rows.delete(name);
  }

  const live = (): Row[] => [...rows.values()].filter((row) => !row.gone);

  return {
    name: 'ledger',
    async start(scope) {
      writer.start(scope);
      for (const informer of [syncs, clusterSyncs]) {
        await informer.synced(scope.signal);
        scope.defer('delivery records', informer.listen({ onPut: learn, onDelete: unlearn }));
      }
    },
    versionOf(node, uid) {
      const row = rows.get(keyOf(node, uid));
      return row && !row.gone ? row.version : undefined;
    },
    async intend(node, push) {
      if (push.kind === 'object.delete') return;
      const row = rowOf(node, push);
      if (row.written === undefined) await create(row);
    },
    acknowledged(node, push, version) {
      const key = keyOf(node, uidOf(push));
      if (push.kind === 'object.delete') {
        const row = rows.get(key);
        if (row) row.gone = true;
      } else {
        const row = rowOf(node, push);
        if (compareVersions(version, row.version) > 0) row.version = version ?? row.version;
      }
      writer.enqueueAfter(key, writeAfter);
    },
    advance(node, uid, from, to) {
      const key = keyOf(node, uid);
      const row = rows.get(key);
      if (!row || row.gone || row.version !== from) return;
      row.version = to;
      writer.enqueueAfter(key, row.kind === 'Device' ? advanceDeviceAfter : advanceAfter);
    },
    entries: live,
    entriesOf: (node) => live().filter((row) => row.node === node),
    nodes: () => new Set(live().map((row) => row.node)),
    async distrust(node, signal) {
      const doubtful = live().filter((row) => row.node === node);
      for (const row of doubtful) row.version = '0';
      while (doubtful.length > 0) {
        const some = doubtful.splice(0, writesAtATime);
        await Promise.all(some.map((row) => writeOnce(keyOf(row.node, row.uid), signal)));
      }
    },
    forget(node) {
      for (const [key, row] of rows) {
        if (row.node !== node) continue;
        row.gone = true;
        writer.enqueue(key);
      }
    },
  };
}

const keyOf = (node: NodeName, uid: Uid): string => `${node}.${uid}`;

const ignore = (reason: 'NotFound') => (error: unknown) => {
  if (!isStatus(error, reason)) throw error;
};
