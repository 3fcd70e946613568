import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Socket } from '@kedge/core/ports';
import { seconds } from '@kedge/core/time';
import { type KubeObject, resourceVersion } from '@kedge/model/k8s';
import { messageId, type RawMessage } from '@kedge/model/messages';
import { linkPair } from '@kedge/testing/link';
import { createDenseCloudCodec, linkHeader } from '@kedge/wire/hub';
import { settle, startEdge } from './link-fixture.ts';

const node = 'real-edge';
const podRef = { type: 'pod', namespace: 'default', name: 'web-0' };

const pod = (version: number, more: Partial<KubeObject> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'web-0',
    namespace: 'default',
    uid: 'uid-1',
    resourceVersion: String(version),
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: { nodeName: node, containers: [] },
  ...more,
});

const push = (id: string, operation: string, object: KubeObject, resource = 'default/pod/web-0'): RawMessage => ({
  header: { msg_id: id, timestamp: 1, resourceversion: object.metadata.resourceVersion ?? '' },
  route: { source: 'edgecontroller', group: 'resource', operation, resource },
  content: object,
});

const reply = (to: RawMessage, content: unknown): RawMessage => ({
  header: { msg_id: `reply-${to.header.msg_id}`, parent_msg_id: to.header.msg_id, timestamp: 1 },
  route: { source: 'edgecontroller', group: 'resource', operation: 'response', resource: to.route.resource ?? '' },
  content,
});

const isAckOf = (id: string) => (message: RawMessage) =>
  message.header.parent_msg_id === id && message.route.operation === 'response';
const isOperation = (operation: string) => (message: RawMessage) => message.route.operation === operation;

test('the edge dials as upstream does and sends a keepalive first, then every heartbeat', async () => {
  const edge = await startEdge();
  const cloud = await edge.accept();
  await edge.clock.advance(seconds(1));
  assert.equal(edge.dialled[0]?.url, `wss://cloud:10000/e632aba927ea4ac2b575ec1603d56f10/${node}/events`);
  const { node_id, ConnectionUse } = edge.dialled[0]!.headers;
  assert.deepEqual({ node_id, ConnectionUse }, { node_id: node, ConnectionUse: 'msg' });
  assert.deepEqual(cloud.received[0]?.route, {
    source: 'websocket',
    group: 'resource',
    operation: 'keepalive',
    resource: 'node',
  });
  await edge.clock.advance(seconds(15));
  assert.equal(cloud.received.filter(isOperation('keepalive')).length, 2);
  assert.deepEqual(await edge.stop(), []);
});

test('a pushed pod is stored, shown to listeners and acknowledged with the route of the push', async () => {
  const edge = await startEdge();
  const seen: string[] = [];
  edge.meta.pods.listen({
    onPut: (put) => seen.push(`put ${put.metadata.resourceVersion}`),
    onDelete: (last) => seen.push(`delete ${last.metadata.uid}`),
  });
  const cloud = await edge.accept();
  await cloud.send(push('m1', 'update', pod(5)));
  const ack = await edge.clock.until(cloud.next(isAckOf('m1')));
  assert.deepEqual(ack.route, {
    source: 'edgecontroller',
    group: 'resource',
    operation: 'response',
    resource: 'default/pod/web-0',
  });
  assert.equal(ack.content, 'OK');
  assert.equal(edge.meta.pods.get('uid-1')?.metadata.resourceVersion, '5');

  await cloud.send(push('m2', 'update', pod(4)));
  await edge.clock.until(cloud.next(isAckOf('m2')));
  assert.equal(edge.meta.pods.get('uid-1')?.metadata.resourceVersion, '5', 'an older version changes nothing');

  await cloud.send(push('m3', 'delete', { metadata: { name: 'web-0', namespace: 'default', uid: 'other' } }));
  await edge.clock.until(cloud.next(isAckOf('m3')));
  assert.ok(edge.meta.pods.get('uid-1'), 'the deletion of another incarnation changes nothing');

  await cloud.send(push('m4', 'delete', pod(6)));
  await edge.clock.until(cloud.next(isAckOf('m4')));
  assert.deepEqual(seen, ['put 5', 'delete uid-1']);
  await edge.stop();
});

test('a pod status waits in the outbox while the cloud is away and leaves it when the cloud has confirmed it', async () => {
  const edge = await startEdge();
  const first = await edge.accept();
  await first.send(push('m1', 'update', pod(5)));
  await edge.clock.until(first.next(isAckOf('m1')));
  edge.unreachable = true;
  first.link.cut();
  await settle();
  assert.equal(edge.link.isOnline, false);

  await edge.meta.outbox.podStatus({ ref: podRef, uid: 'uid-1', status: { phase: 'Pending' } });
  await edge.meta.outbox.podStatus({ ref: podRef, uid: 'uid-1', status: { phase: 'Running' } });
  await edge.meta.outbox.podDelete({ ref: podRef, uid: 'uid-1' });
  await edge.clock.advance(seconds(60));

  edge.unreachable = false;
  const second = await edge.accept();
  const patch = await edge.clock.until(second.next(isOperation('patch')));
  assert.equal(patch.route.resource, 'default/podpatch/web-0');
  assert.equal(patch.content, '{"metadata":{"uid":"uid-1"},"status":{"phase":"Running"}}');
  assert.equal(second.received.filter(isOperation('delete')).length, 0, 'the deletion comes after the status');

  await second.send(reply(patch, { Object: pod(7, { status: { phase: 'Running' } }), Err: null }));
  const deletion = await edge.clock.until(second.next(isOperation('delete')));
  assert.deepEqual(deletion.content, { gracePeriodSeconds: 0, preconditions: { uid: 'uid-1' } });
  assert.equal(edge.meta.pods.get('uid-1')?.status?.phase, 'Running');
  await second.send(reply(deletion, 'OK'));
  await edge.clock.advance(seconds(1));
  assert.equal(
    edge.meta.outbox.take(() => false),
    undefined,
  );
  await edge.stop();
});

test('a report that the cloud cannot take now is sent again, one that it never will is dropped', async () => {
  const edge = await startEdge();
  const cloud = await edge.accept();
  const status = { phase: 'Running' };
  await edge.meta.outbox.podStatus({ ref: podRef, uid: 'uid-1', status });
  const first = await edge.clock.until(cloud.next(isOperation('patch')));
  const failed = (reason: string) => ({ Object: null, Err: { ErrStatus: { status: 'Failure', reason, code: 500 } } });
  await cloud.send(reply(first, failed('InternalError')));
  const second = await edge.clock.until(
    cloud.next((message) => message.route.operation === 'patch' && message !== first),
  );
  assert.equal(second.content, first.content);
  await cloud.send(reply(second, failed('NotFound')));
  await edge.clock.advance(seconds(1));
  assert.equal(
    edge.meta.outbox.take(() => false),
    undefined,
  );
  await edge.stop();
});

test('an object is asked for once, kept, and an error is never taken for it', async () => {
  const edge = await startEdge();
  const { signal } = new AbortController();
  const get = () => edge.meta.objects.get('configmap', 'default', 'settings', signal);
  const offline = await get();
  assert.equal(!offline.ok && offline.status.reason, 'ServiceUnavailable');

  const cloud = await edge.accept();
  const both = Promise.all([get(), get()]);
  const asked = await edge.clock.until(cloud.next(isOperation('query')));
  await cloud.send(reply(asked, { ErrStatus: { status: 'Failure', reason: 'NotFound', code: 404, metadata: {} } }));
  for (const outcome of await edge.clock.until(both)) assert.equal(!outcome.ok && outcome.status.reason, 'NotFound');
  assert.equal(cloud.received.filter(isOperation('query')).length, 1);

  const again = get();
  const second = await edge.clock.until(cloud.next((m) => m.route.operation === 'query' && m !== asked));
  const object = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings', namespace: 'default', uid: 'c1', resourceVersion: '9' },
    data: { a: '1' },
  };
  await cloud.send(reply(second, object));
  const found = await edge.clock.until(again);
  assert.deepEqual(found.ok && found.value['data'], { a: '1' });
  await edge.clock.until(cloud.next(isAckOf(`reply-${second.header.msg_id}`)));
  cloud.link.cut();
  await settle();
  assert.equal((await get()).ok, true, 'it is there without the cloud');
  await edge.stop();
});

test('a cloud that says nothing at all is given up after two heartbeats', async () => {
  const edge = await startEdge();
  const cloud = await edge.accept();
  await edge.clock.advance(seconds(31));
  assert.equal(cloud.received.filter(isOperation('query')).length, 1, 'it was asked for a sign of life');
  assert.equal(edge.link.isOnline, false);
  await edge.accept();
  assert.equal(edge.link.isOnline, true);
  await edge.stop();
});

test('a frame that takes minutes on a slow line is waited for as long as it goes on', async () => {
  let arrived = 0;
  const edge = await startEdge({
    connect() {
      const pair = linkPair();
      return {
        pair: { ...pair, edge: Object.create(pair.edge, { arrived: { get: () => arrived } }) as Socket },
        headers: {},
      };
    },
  });
  for (let i = 0; i < 20; i++) {
    arrived += 1_000;
    await edge.clock.advance(seconds(15));
    assert.equal(edge.link.isOnline, true);
  }
  await edge.clock.advance(seconds(31));
  assert.equal(edge.link.isOnline, false);
  await edge.stop();
});

test('an unreadable frame ends the connection, content that makes no sense only that message', async () => {
  const edge = await startEdge();
  const cloud = await edge.accept();
  await cloud.send({ ...push('m1', 'update', pod(5)), content: [1, 2] });
  const refusal = await edge.clock.until(cloud.next(isOperation('error')));
  assert.equal(refusal.header.parent_msg_id, 'm1');
  assert.equal(edge.link.isOnline, true);
  await cloud.send('{"header":');
  assert.equal((await cloud.link.cloud.closed).code, 1002);
  await edge.accept();
  await edge.stop();
});

test('a renewed certificate makes the edge dial again at once', async () => {
  const edge = await startEdge();
  await edge.accept();
  edge.renewCertificate();
  const before = edge.clock.monotonic();
  await edge.accept();
  assert.equal(edge.clock.monotonic(), before);
  assert.equal(edge.dialled.length, 2);
  await edge.stop();
});

test('on a dense link acknowledgements of one moment leave as one frame, and keepalives are answered', async () => {
  const pair = linkPair();
  const edge = await startEdge({ connect: () => ({ pair, headers: { [linkHeader.name]: linkHeader.value } }) });
  assert.equal(edge.dialled[0]?.headers[linkHeader.name], linkHeader.value);
  const codec = createDenseCloudCodec(() => 0);
  const frames: string[] = [];
  void (async () => {
    for await (const { data } of pair.cloud.frames()) {
      frames.push(new TextDecoder().decode(data));
      if (frames.at(-1) === '[[0]]') await pair.cloud.send(codec.pulse!);
    }
  })();
  for (let i = 1; i <= 3; i++) {
    const name = `web-${i}`;
    const { metadata, ...rest } = pod(i);
    await pair.cloud.send(
      codec.encode({
        kind: 'object.put',
        id: messageId(`push-${i}`),
        at: 0,
        ref: { ...podRef, name },
        version: resourceVersion(String(i)),
        object: { ...rest, metadata: { ...metadata, name, uid: `uid-${i}` } },
        owner: 'edgecontroller',
        change: 'update',
      }),
    );
  }
  await edge.clock.advance(seconds(1));
  assert.deepEqual(frames, ['[[0]]', '[[1,1,2,3]]']);
  await edge.clock.advance(seconds(120));
  assert.equal(edge.link.isOnline, true);
  assert.deepEqual(new Set(frames.slice(2)), new Set(['[[0]]']), 'an idle link says nothing else');
  pair.mute();
  await edge.clock.advance(seconds(46));
  assert.equal(edge.dialled.length > 1, true, 'unanswered keepalives end it');
  await edge.stop();
});

test('more messages than the burst leave at the agreed pace', async () => {
  const edge = await startEdge();
  const cloud = await edge.accept();
  await edge.clock.advance(seconds(1));
  for (let i = 0; i < 120; i++) {
    const name = `e${i}`;
    const event = { metadata: { name, namespace: 'default' } };
    edge.meta.outbox.event({ ref: { type: 'event', namespace: 'default', name }, event, change: 'insert' });
  }
  await settle();
  await settle();
  const arrived = (): number => cloud.received.filter(isOperation('insert')).length;
  assert.equal(arrived(), 60);
  await edge.clock.advance(seconds(1));
  assert.equal(arrived(), 90);
  await edge.clock.advance(seconds(1));
  assert.equal(arrived(), 120);
  await edge.stop();
});

test('an upstream cloud is not asked about services, which it would not answer', async () => {
  const edge = await startEdge();
  const cloud = await edge.accept();
  await edge.clock.advance(seconds(1));
  const before = cloud.received.length;
  assert.deepEqual(await edge.meta.services.around('default', new AbortController().signal), []);
  assert.equal(cloud.received.length, before);
  await edge.stop();
});
