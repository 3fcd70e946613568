// Finds again whatever a node missed: compares the ledger with the API for every connected node now and then, and for a
// node that has just connected at once. Also drops the records of nodes that are no more.
import type { Informer } from '@kedge/core/control';
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import { type Clock, seconds } from '@kedge/core/time';
import type { KubeObject, NodeName, ResourceVersion, Uid } from '@kedge/model/k8s';
import type { Node, Pod } from '@kedge/model/k8s-types';
import { devicesApiVersion } from '@kedge/model/kubeedge';
import type { Downstream } from '@kedge/model/messages';
import { planSync } from './plan-sync.ts';

/** As often as upstream; a pass over records that agree costs nothing but the comparison. */
const every = seconds(5);
/** A Node that is deleted and made again within this time keeps its records. */
const goneFor = seconds(60);

type Unsent<M> = M extends unknown ? Omit<M, 'id' | 'at'> : never;
type Put = Unsent<Extract<Downstream, { kind: 'object.put' }>>;
type Delete = Unsent<Extract<Downstream, { kind: 'object.delete' }>>;

export interface SyncRecord {
  readonly node: NodeName;
  readonly uid: Uid;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly kind: string;
  readonly apiVersion: string;
  readonly version: string;
}

export interface SyncControllerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly records: {
    entries(): Iterable<SyncRecord>;
    entriesOf(node: NodeName): readonly SyncRecord[];
    nodes(): Iterable<NodeName>;
    forget(node: NodeName): void;
  };
  readonly sink: {
    put(node: NodeName, put: Put): void;
    delete(node: NodeName, gone: Delete): void;
    forget(node: NodeName): void;
    nodes(): Iterable<NodeName>;
  };
  /** Whether a pod or a device on the node refers to the object; of a device, whether it is the node's. */
  readonly uses: (node: NodeName, type: string, namespace: string, name: string) => boolean;
  readonly connected: () => ReadonlySet<NodeName>;
  readonly nodes: Informer<Node>;
  readonly pods: Informer<Pod>;
  /** The copies of what is kept in step, by kind. Records of other kinds are their owner's business. */
  readonly copies: Readonly<Record<string, Informer<KubeObject>>>;
}

export interface SyncController extends Module {
  /** A node connected, or what is on record about it came into doubt. */
  check(node: NodeName): void;
}

export function createSyncController(deps: SyncControllerDeps): SyncController {
  const { clock, records, sink, nodes, pods, copies, uses } = deps;
  const log = deps.log.child({ module: 'synccontroller' });
  const goneSince = new Map<NodeName, number>();
  let isReady = false;
  /** Nodes that connected before the copies were complete. */
  const early = new Set<NodeName>();

  function syncRecord(record: SyncRecord): void {
    const copy = copies[record.kind];
    if (!copy) return;
    const current = copy.get(record.namespace === undefined ? record.name : `${record.namespace}/${record.name}`);
    switch (isUnused(record) ? 'delete' : planSync(record, current)) {
      case 'delete':
        return sink.delete(record.node, deleteOf(record));
      case 'put':
        return sink.put(record.node, putOf(record.kind, current!));
      case 'nothing':
        return undefined;
    }
  }

  /** ConfigMaps, Secrets and models are a node's only as long as something there refers to them; devices may move. */
  const isUnused = ({ node, kind, namespace = '', name }: SyncRecord): boolean =>
    comeAndGo.has(kind) && !uses(node, kind.toLowerCase(), namespace, name);

  /** Pods without a record were bound while the node was away and this cloudcore was not running. */
  function syncPods(node: NodeName): void {
    for (const pod of pods.list()) if (pod.spec?.nodeName === node) sink.put(node, putOf('Pod', pod));
  }

  function syncNode(node: NodeName): void {
    for (const record of records.entriesOf(node)) syncRecord(record);
    syncPods(node);
  }

  /** A node that is connected is not gone, though it may not be registered: its session holds on to its outbox. */
  function dropGoneNodes(connected: ReadonlySet<NodeName>): void {
    const now = clock.monotonic();
    for (const node of new Set([...records.nodes(), ...sink.nodes()])) {
      if (nodes.get(node) || connected.has(node)) {
        goneSince.delete(node);
        continue;
      }
      const since = goneSince.get(node) ?? now;
      goneSince.set(node, since);
      if (now - since < goneFor) continue;
      goneSince.delete(node);
      records.forget(node);
      sink.forget(node);
      log.info('dropped the records of a node that is no more', { node });
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await clock.sleep('next comparison of records', every, signal);
      const live = deps.connected();
      for (const record of records.entries()) if (live.has(record.node)) syncRecord(record);
      dropGoneNodes(live);
    }
  }

  return {
    name: 'synccontroller',
    check(node) {
      if (isReady) syncNode(node);
      else early.add(node);
    },
    async start(scope) {
      await Promise.all([nodes, pods, ...Object.values(copies)].map((copy) => copy.synced(scope.signal)));
      isReady = true;
      for (const node of early) syncNode(node);
      early.clear();
      scope.spawn('comparison of records', run);
    },
  };
}

const comeAndGo: ReadonlySet<string> = new Set(['ConfigMap', 'Secret', 'Device', 'DeviceModel']);

/** An edge routes by the owner. */
const ownerOf = (kind: string): Put['owner'] =>
  kind === 'Device' || kind === 'DeviceModel' ? 'devicecontroller' : 'edgecontroller';
const apiVersionOf = (kind: string): string => (ownerOf(kind) === 'devicecontroller' ? devicesApiVersion : 'v1');

const putOf = (kind: string, object: KubeObject): Put => ({
  kind: 'object.put',
  ref: { type: kind.toLowerCase(), namespace: object.metadata.namespace, name: object.metadata.name ?? '' },
  ...(kind === 'Node' ? { address: `null/node/${object.metadata.name}` } : {}),
  version: (object.metadata.resourceVersion ?? '') as ResourceVersion,
  // Lists leave kind and version out; an edge cannot store an object without them.
  object: { ...object, apiVersion: object.apiVersion ?? apiVersionOf(kind), kind },
  owner: ownerOf(kind),
  change: 'update',
});

const deleteOf = (record: SyncRecord): Delete => ({
  kind: 'object.delete',
  ref: { type: record.kind.toLowerCase(), namespace: record.namespace, name: record.name },
  uid: record.uid,
  version: undefined,
  object: {
    apiVersion: record.apiVersion,
    kind: record.kind,
    metadata: {
      name: record.name,
      ...(record.namespace === undefined ? {} : { namespace: record.namespace }),
      uid: record.uid,
    },
  },
  owner: ownerOf(record.kind),
});
