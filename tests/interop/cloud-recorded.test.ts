// The recorded edge half of real traffic is played to our cloud, and what it answers and pushes is compared with what the
// real cloud did: same addresses, operations, forms and content, but for ids, versions, times and managers.
//
// The world moves as the recording shows it: an object that the real cloud pushed or answered with is put into the API
// just before the edge hears of it. Two differences are meant, and listed here: a push that only echoes the status which
// the node itself reported is left out, and a refused lookup is answered with operation `error` where an upstream edge
// would store the error as the object.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { isStatus, type KubeObject, type Status, statusError } from '@kedge/model/k8s';
import type { RawMessage } from '@kedge/model/messages';
import { significance } from '@kedge/cloud/edgecontroller';
import { api, type CloudRig, edgeNode, type FakeEdge, settle, startCloud } from './cloud-rig.ts';
import { readRecording } from './recorded/read-recording.ts';

const node = 'real-edge';
const collections: Record<string, ReturnType<typeof api>> = {
  pod: api('pods'),
  node: api('nodes'),
  configmap: api('configmaps'),
  secret: api('secrets'),
  lease: api('leases', 'coordination.k8s.io'),
};

/** What differs between two servers and two runs. */
const volatile = new Set([
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'deletionTimestamp',
  'generation',
  'managedFields',
  'renewTime',
  'lastHeartbeatTime',
  'lastTransitionTime',
  'token',
  'expirationTimestamp',
  'message',
  // Put in by admission and by controllers that the recorded cluster had.
  'taints',
  'audiences',
  'qosClass',
  'node.alpha.kubernetes.io/ttl',
]);

const isEmpty = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;

function stable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(stable);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([field]) => !volatile.has(field))
    .map(([field, inner]) => [field, stable(inner)] as const);
  return Object.fromEntries(entries.filter(([, inner]) => inner !== null && !isEmpty(inner)));
}

/** The form of an answer, and the object in it. */
function describe({ route, content }: RawMessage): object {
  const { source, group, operation, resource } = route;
  const said = typeof content === 'string' ? content : formOf(content as Record<string, unknown>);
  return { source, group, operation, resource, said };
}

function formOf(content: Record<string, unknown>): object {
  const status = (content['ErrStatus'] ?? (content['Err'] as { ErrStatus?: unknown } | null)?.ErrStatus) as
    | { reason?: string; code?: number }
    | undefined;
  if (status) return { wrapped: 'Err' in content, reason: status.reason, code: status.code };
  if ('Object' in content) return { object: withoutType(content['Object'] as KubeObject) };
  return {
    kind: content['kind'],
    apiVersion: content['apiVersion'],
    document: withoutType(content as unknown as KubeObject),
  };
}

/** Typed answers of a Go cloud leave kind and version out; with or without, an edge takes both. */
function withoutType(object: KubeObject): unknown {
  const { kind: _, apiVersion: __, ...rest } = object;
  return stable(rest);
}

class Replay {
  readonly #cloud: CloudRig;
  readonly #edge: FakeEdge;
  /** Ids of the real cloud's messages, and of ours for the same thing. */
  readonly #ids = new Map<string, string>();
  readonly #uids = new Map<string, string>();
  readonly #lastPushed = new Map<string, KubeObject>();
  #pushesSeen = 0;
  compared = 0;

  constructor(cloud: CloudRig, edge: FakeEdge) {
    this.#cloud = cloud;
    this.#edge = edge;
  }

  async play(name: string): Promise<void> {
    const frames = readRecording(name);
    for (const { message } of frames) await this.#hadBefore(message);
    for (const [at, { dir, message }] of frames.entries()) {
      if (dir === 'edge>cloud')
        await this.#fromEdge(
          message,
          frames.slice(at + 1).map((later) => later.message),
        );
      else if (message.header.parent_msg_id === undefined) await this.#pushed(message);
      else this.#answered(message);
    }
  }

  /** ConfigMaps and Secrets that the edge asks for were there before the pod that refers to them. */
  async #hadBefore({ header, route, content }: RawMessage): Promise<void> {
    const [, type = ''] = (route.resource ?? '').split('/');
    const isAnswer = header.parent_msg_id !== undefined && typeof content === 'object';
    if (isAnswer && (type === 'configmap' || type === 'secret')) await this.#put(type, content as KubeObject);
  }

  async #fromEdge(message: RawMessage, later: readonly RawMessage[]): Promise<void> {
    const parent = message.header.parent_msg_id;
    if (parent !== undefined) {
      const ours = this.#ids.get(parent);
      if (ours === undefined) return;
      await this.#edge.send({ ...message, header: { ...message.header, parent_msg_id: ours } });
    } else {
      const answer = later.find((candidate) => candidate.header.parent_msg_id === message.header.msg_id);
      if (answer) await this.#prepare(message, answer);
      await this.#edge.sendText(this.#translated(JSON.stringify(message)));
    }
    await settle();
  }

  /** Has the API hold what the real one answered a lookup with. */
  async #prepare({ route }: RawMessage, answer: RawMessage): Promise<void> {
    const [, type = ''] = (route.resource ?? '').split('/');
    const content = answer.content as Record<string, unknown>;
    const refusal = (content['Err'] as { ErrStatus?: Status } | null | undefined)?.ErrStatus;
    // Our API in memory validates nothing; that the real one did is part of the recording.
    if (refusal?.reason === 'Invalid')
      this.#cloud.kube.failNext('create', collections[type]!.resource, statusError(refusal));
    if (route.operation !== 'query' && route.operation !== 'update') return;
    const object = (content['Object'] ?? content) as KubeObject;
    if (collections[type] && object?.metadata?.uid) await this.#put(type, object);
    await settle();
  }

  /** Exactly what is recorded, status included, whatever is there already. */
  async #put(type: string, recorded: KubeObject): Promise<void> {
    const { kube } = this.#cloud;
    const collection = collections[type]!;
    const { name = '', namespace } = recorded.metadata;
    const {
      uid,
      resourceVersion: _,
      managedFields: __,
      deletionTimestamp,
      deletionGracePeriodSeconds,
      ...metadata
    } = recorded.metadata;
    const object: KubeObject = { ...recorded, metadata };
    const before = await kube.get(collection, { namespace, name }).catch((error: unknown) => {
      if (isStatus(error, 'NotFound')) return undefined;
      throw error;
    });
    const stored = before
      ? await kube.update(collection, { ...object, metadata: { ...metadata, uid: before.metadata.uid! } })
      : await this.#create(collection, object);
    this.#uids.set(uid!, stored.metadata.uid!);
    if (type === 'node') await this.#putStatus(collection, recorded);
    if (deletionTimestamp && !before) await this.#takeFirst();
    if (deletionTimestamp && !stored.metadata.deletionTimestamp) {
      await kube.delete(collection, { namespace, name }, { gracePeriodSeconds: deletionGracePeriodSeconds ?? 30 });
    }
  }

  /** A pod gets its status before it is bound, so that the node first hears of it with both. */
  async #create(collection: ReturnType<typeof api>, object: KubeObject): Promise<KubeObject> {
    const { kube } = this.#cloud;
    const { namespace } = object.metadata;
    if (object.kind !== 'Pod') return kube.create(collection, namespace, object);
    const { nodeName: _, ...unbound } = object['spec'] as { nodeName?: string };
    await kube.create(collection, namespace, { ...object, spec: unbound });
    const { metadata } = await this.#putStatus(collection, object);
    return kube.update(collection, { ...object, metadata: { ...object.metadata, uid: metadata.uid! } });
  }

  #putStatus(collection: ReturnType<typeof api>, { metadata, status }: KubeObject): Promise<KubeObject> {
    const target = { namespace: metadata.namespace, name: metadata.name ?? '', subresource: 'status' };
    return this.#cloud.kube.patch(collection, target, 'merge', JSON.stringify({ status }));
  }

  /** What the recorded edge had before the recording began: it acknowledges that silently. */
  async #takeFirst(): Promise<void> {
    await settle();
    const { header, route } = this.#edge.pushes()[this.#pushesSeen++]!;
    const ack = { header: { msg_id: `ack-${header.msg_id}`, parent_msg_id: header.msg_id, timestamp: 0 } };
    await this.#edge.send({ ...ack, route: { ...route, operation: 'response' }, content: 'OK' });
    await settle();
  }

  async #pushed(message: RawMessage): Promise<void> {
    const { route } = message;
    const [namespace, type = '', name = ''] = (route.resource ?? '').split('/');
    const object = message.content as KubeObject;
    const before = this.#lastPushed.get(route.resource ?? '');
    const isEcho = route.operation === 'update' && before && significance(before, object) !== 'desired';
    this.#lastPushed.set(route.resource ?? '', object);
    // A pod's very last moment: whether a watch shows it is up to the API server.
    if (isEcho || object.metadata.deletionGracePeriodSeconds === 0) return;
    if (route.operation === 'delete') {
      await this.#cloud.kube
        .delete(collections[type]!, { namespace, name }, { gracePeriodSeconds: 0 })
        .catch(() => undefined);
    } else await this.#put(type, object);
    await settle();
    const ours = this.#edge.pushes()[this.#pushesSeen++];
    assert.ok(ours, `no push of ${route.operation} ${route.resource}`);
    this.#ids.set(message.header.msg_id, ours.header.msg_id);
    const neutral = (described: object) => ({
      ...described,
      operation: route.operation === 'delete' ? 'delete' : 'put',
    });
    assert.equal(ours.route.operation === 'delete', route.operation === 'delete');
    const [mine, theirs] = [neutral(describe(ours)), neutral(describe(message))];
    if (route.operation !== 'delete') assert.deepEqual(mine, theirs);
    else assert.equal((ours.content as KubeObject).metadata.uid, this.#uids.get(object.metadata.uid!));
    assert.ok(route.operation === 'delete' || ours.header.resourceversion);
    this.compared++;
  }

  #answered(message: RawMessage): void {
    const to = message.header.parent_msg_id!;
    const ours = this.#edge.received.find((mine) => mine.header.parent_msg_id === to);
    assert.ok(ours, `no answer to ${message.route.resource}`);
    this.#ids.set(message.header.msg_id, ours.header.msg_id);
    assert.deepEqual(describe(ours), describe(message));
    assert.ok(ours.header.resourceversion || !message.header.resourceversion);
    this.compared++;
  }

  /** The recorded edge names objects by uids and versions of the recorded API. */
  #translated(text: string): string {
    const ours = [...this.#uids].reduce((so, [theirs, mine]) => so.replaceAll(theirs, mine), text);
    return ours.replaceAll(/"resourceVersion":"\d+",?/g, '');
  }
}

async function startReplay(t: TestContext, isRegistered: boolean): Promise<Replay> {
  const cloud = await startCloud(t);
  if (isRegistered) await cloud.kube.create(api('nodes'), undefined, edgeNode(node));
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'default' } };
  await cloud.kube.create(api('serviceaccounts'), 'default', account);
  const edge = cloud.dial(node);
  edge.acknowledge = false;
  return new Replay(cloud, edge);
}

test('a node joins our cloud as it joined the recorded one', async (t) => {
  const replay = await startReplay(t, false);
  await replay.play('01-bootstrap-node-ready');
  await replay.play('02-idle-heartbeats');
  assert.ok(replay.compared > 20);
});

test('a Deployment starts, is updated and ends as it did', async (t) => {
  const replay = await startReplay(t, true);
  for (const name of [
    '03-deploy-with-configmap-secret',
    '04-update-configmap-secret',
    '05-delete-deployment',
    '06-label-node',
  ]) {
    await replay.play(name);
  }
  assert.ok(replay.compared > 40);
});

test('a restarted edge is answered as it was', async (t) => {
  const replay = await startReplay(t, true);
  await replay.play('20-edge-restart-reconnect');
  assert.ok(replay.compared > 10);
});

test('after a cut the edge hears of what it missed', async (t) => {
  const replay = await startReplay(t, true);
  await replay.play('41-cloud-link-cut-and-restore');
  assert.ok(replay.compared > 10);
});
