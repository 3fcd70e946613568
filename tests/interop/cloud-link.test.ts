// The cloud's side of the link as edges see it: sessions, pushes, acknowledgements, recovery.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { minutes, seconds } from '@kedge/core/time';
import type { KubeObject } from '@kedge/model/k8s';
import { api, boundPod, edgeNode, fakeApi, settle, startCloud } from './cloud-rig.ts';

const pods = api('pods');
const nodes = api('nodes');
const configMaps = api('configmaps');
const objectSyncs = api('objectsyncs', 'reliablesyncs.kubeedge.io', 'v1alpha1');

const told = (edge: { pushes(): { route: { operation?: string; resource?: string } }[] }): string[] =>
  edge.pushes().map(({ route }) => `${route.operation} ${route.resource}`);

test('a pod bound to a connected node is pushed, acknowledged and put on record', async (t) => {
  const cloud = await startCloud(t);
  await cloud.kube.create(nodes, undefined, edgeNode('e1'));
  const edge = cloud.dial('e1');
  const pod = await cloud.kube.create(pods, 'default', boundPod('web', 'e1'));
  await settle();
  assert.deepEqual(told(edge), ['insert default/pod/web']);
  const [push] = edge.pushes();
  assert.equal(push!.header.resourceversion, pod.metadata.resourceVersion);
  assert.equal((push!.content as KubeObject).kind, 'Pod');
  await cloud.clock.advance(seconds(1));
  const record = await cloud.kube.get(objectSyncs, { namespace: 'default', name: `e1.${pod.metadata.uid}` });
  assert.deepEqual(record['spec'], { objectAPIVersion: 'v1', objectKind: 'Pod', objectName: 'web' });
  assert.deepEqual(record['status'], { objectResourceVersion: pod.metadata.resourceVersion });
});

test('a push that is not acknowledged is repeated every five seconds with the same id', async (t) => {
  const cloud = await startCloud(t);
  await cloud.kube.create(nodes, undefined, edgeNode('e1'));
  const edge = cloud.dial('e1');
  edge.acknowledge = false;
  await cloud.kube.create(pods, 'default', boundPod('web', 'e1'));
  await cloud.clock.advance(seconds(11));
  const ids = edge.pushes().map((push) => push.header.msg_id);
  assert.equal(ids.length, 3);
  assert.equal(new Set(ids).size, 1);
});

test('the status that a node reports is not sent back to it; a change by somebody else is', async (t) => {
  const cloud = await startCloud(t);
  await cloud.kube.create(nodes, undefined, edgeNode('e1'));
  const edge = cloud.dial('e1');
  const pod = await cloud.kube.create(pods, 'default', boundPod('web', 'e1'));
  await settle();
  const patch = JSON.stringify({ metadata: { uid: pod.metadata.uid }, status: { phase: 'Running' } });
  const answer = await edge.ask('patch', 'default/podpatch/web', patch);
  const { Object: patched } = answer!.content as { Object: KubeObject };
  assert.deepEqual((patched['status'] as { phase: string }).phase, 'Running');
  await cloud.clock.advance(seconds(20));
  assert.equal(edge.pushes().length, 1);
  const target = { namespace: 'default', name: 'web', subresource: 'status' };
  await cloud.kube.patch(pods, target, 'merge', '{"status":{"reason":"NodeLost"}}');
  await settle();
  assert.deepEqual(told(edge), ['insert default/pod/web', 'update default/pod/web']);
});

test('what changed while a node was away arrives after it connects, and what did not is left alone', async (t) => {
  const cloud = await startCloud(t);
  await cloud.kube.create(nodes, undefined, edgeNode('e1'));
  const first = cloud.dial('e1');
  for (const name of ['gone', 'kept', 'moved']) await cloud.kube.create(pods, 'default', boundPod(name, 'e1'));
  await settle();
  first.socket.terminate();
  await settle();
  await cloud.kube.delete(pods, { namespace: 'default', name: 'gone' }, { gracePeriodSeconds: 0 });
  await cloud.kube.patch(pods, { namespace: 'default', name: 'moved' }, 'merge', '{"metadata":{"labels":{"a":"b"}}}');
  await cloud.kube.create(pods, 'default', boundPod('new', 'e1'));
  await settle();
  const second = cloud.dial('e1');
  await cloud.clock.advance(seconds(20));
  assert.deepEqual(told(second).sort(), [
    'delete default/pod/gone',
    'insert default/pod/new',
    'update default/pod/moved',
  ]);
});

test('a restarted cloudcore knows from its records what a node has and what it missed', async (t) => {
  const { clock, kube } = fakeApi();
  const before = await startCloud(t, { clock });
  await before.kube.create(nodes, undefined, edgeNode('e1'));
  const edge = before.dial('e1');
  for (const name of ['gone', 'kept']) await before.kube.create(pods, 'default', boundPod(name, 'e1'));
  await clock.advance(seconds(10));
  assert.equal(edge.pushes().length, 2);
  await before.stop();
  await before.kube.delete(pods, { namespace: 'default', name: 'gone' }, { gracePeriodSeconds: 0 });
  await before.kube.create(pods, 'default', boundPod('new', 'e1'));
  void kube;
  const after = await startCloud(t, { clock, kube: before.kube });
  const again = after.dial('e1');
  await clock.advance(seconds(10));
  assert.deepEqual(told(again).sort(), ['delete default/pod/gone', 'insert default/pod/new']);
});

test('a cloud that dies before the acknowledgement is on record sends the object once more', async (t) => {
  const before = await startCloud(t);
  await before.kube.create(nodes, undefined, edgeNode('e1'));
  before.dial('e1');
  const pod = await before.kube.create(pods, 'default', boundPod('web', 'e1'));
  await settle();
  // Dead within the half second in which the record waits to be written.
  await before.stop();
  const name = `e1.${pod.metadata.uid}`;
  assert.equal((await before.kube.get(objectSyncs, { namespace: 'default', name }))['status'], undefined);
  const after = await startCloud(t, { clock: before.clock, kube: before.kube });
  const edge = after.dial('e1');
  await settle();
  assert.deepEqual(told(edge), ['insert default/pod/web']);
});

test('ConfigMaps go to the nodes whose pods refer to them, and to no other', async (t) => {
  const cloud = await startCloud(t);
  for (const name of ['e1', 'e2']) await cloud.kube.create(nodes, undefined, edgeNode(name));
  const [one, two] = [cloud.dial('e1'), cloud.dial('e2')];
  const map = {
    metadata: { name: 'app', namespace: 'default' },
    apiVersion: 'v1',
    kind: 'ConfigMap',
    data: { k: '1' },
  };
  await cloud.kube.create(configMaps, 'default', map);
  const volumes = [{ name: 'v', configMap: { name: 'app' } }];
  await cloud.kube.create(pods, 'default', boundPod('web', 'e1', { volumes }));
  await settle();
  const answer = await one.ask('query', 'default/configmap/app');
  assert.deepEqual((answer!.content as KubeObject)['data'], { k: '1' });
  const refused = await two.ask('query', 'default/configmap/app');
  assert.equal(refused!.route.operation, 'error');
  await cloud.kube.patch(configMaps, { namespace: 'default', name: 'app' }, 'merge', '{"data":{"k":"2"}}');
  await settle();
  assert.deepEqual(told(one), ['insert default/pod/web', 'update default/configmap/app']);
  assert.deepEqual(told(two), []);
  await cloud.kube.delete(configMaps, { namespace: 'default', name: 'app' });
  await settle();
  assert.deepEqual(told(one).at(-1), 'delete default/configmap/app');
});

test('a pod that is no more is deleted at the edge that reports about it', async (t) => {
  const cloud = await startCloud(t);
  await cloud.kube.create(nodes, undefined, edgeNode('e1'));
  const edge = cloud.dial('e1');
  const patch = JSON.stringify({ metadata: { uid: 'u-gone' }, status: { phase: 'Running' } });
  const answer = await edge.ask('patch', 'default/podpatch/ghost', patch);
  const { Err } = answer!.content as { Err: { ErrStatus: { reason: string } } };
  assert.equal(Err.ErrStatus.reason, 'NotFound');
  assert.deepEqual(told(edge), ['delete default/pod/ghost']);
  assert.equal((edge.pushes()[0]!.content as KubeObject).metadata.uid, 'u-gone');
  const deleted = await edge.ask('delete', 'default/pod/ghost', { preconditions: { uid: 'u-gone' } });
  assert.equal(deleted!.content, 'OK');
});

test('an edge that registers anew is sent everything again, a pod being deleted included', async (t) => {
  const cloud = await startCloud(t);
  await cloud.kube.create(nodes, undefined, edgeNode('e1'));
  const first = cloud.dial('e1');
  for (const name of ['a', 'b']) await cloud.kube.create(pods, 'default', boundPod(name, 'e1'));
  await settle();
  first.socket.terminate();
  await settle();
  await cloud.kube.delete(pods, { namespace: 'default', name: 'b' }, { gracePeriodSeconds: 30 });
  const second = cloud.dial('e1');
  await settle();
  assert.deepEqual(told(second), ['update default/pod/b']);
  const answer = await second.ask('insert', 'default/node/e1', edgeNode('e1'));
  const { Err } = answer!.content as { Err: { ErrStatus: { reason: string } } };
  assert.equal(Err.ErrStatus.reason, 'AlreadyExists');
  assert.deepEqual(told(second).slice(1).sort(), ['update default/pod/a', 'update default/pod/b']);
  const uid = (second.pushes().find((push) => push.route.resource?.endsWith('/b'))!.content as KubeObject).metadata.uid;
  const gone = { gracePeriodSeconds: 0, preconditions: { uid } };
  assert.equal((await second.ask('delete', 'default/pod/b', gone))!.content, 'OK');
  await assert.rejects(cloud.kube.get(pods, { namespace: 'default', name: 'b' }), /not found/);
});

test('a Node is pushed to an edge of v1.23, which does not ask for it, and not to one of v1.22', async (t) => {
  const cloud = await startCloud(t);
  await cloud.kube.create(nodes, undefined, edgeNode('old'));
  await cloud.kube.create(nodes, undefined, edgeNode('new', 'v1.32.10-kubeedge-v1.23.1'));
  const [old, young] = [cloud.dial('old'), cloud.dial('new')];
  for (const name of ['old', 'new']) {
    await cloud.kube.patch(nodes, { name }, 'merge', '{"metadata":{"labels":{"zone":"a"}}}');
  }
  await settle();
  assert.deepEqual(told(old), []);
  assert.ok(told(young).every((push) => push === 'update null/node/new'));
  assert.equal((young.pushes().at(-1)!.content as KubeObject).metadata.labels?.['zone'], 'a');
});

test('silence of thirty seconds ends a session; keepalives keep it', async (t) => {
  const cloud = await startCloud(t);
  const edge = cloud.dial('e1');
  for (let i = 0; i < 5; i++) {
    await cloud.clock.advance(seconds(15));
    await cloud.keepAlive(edge);
  }
  assert.equal(edge.isClosed(), false);
  await cloud.clock.advance(seconds(31));
  assert.equal(edge.isClosed(), true);
});

test('a peer that is gone without a word does not hold its session', async (t) => {
  const cloud = await startCloud(t);
  const edge = cloud.dial('e1');
  edge.mute();
  await cloud.clock.advance(seconds(33));
  assert.ok(cloud.logged.some(({ sentence }) => sentence === 'link to edge ended'));
  assert.deepEqual(await cloud.stop(), []);
});

test('a newer session of a node replaces the older one, which loses nothing', async (t) => {
  const cloud = await startCloud(t);
  await cloud.kube.create(nodes, undefined, edgeNode('e1'));
  const first = cloud.dial('e1');
  first.acknowledge = false;
  await cloud.kube.create(pods, 'default', boundPod('web', 'e1'));
  await settle();
  const second = cloud.dial('e1');
  await settle();
  assert.equal(first.isClosed(), true);
  assert.equal(second.isClosed(), false);
  assert.deepEqual(told(second), ['insert default/pod/web']);
});

test('links with somebody else’s certificate, another use or beyond the node limit are refused', async (t) => {
  const cloud = await startCloud(t, { config: { nodeLimit: 1 } });
  assert.throws(() => cloud.dial('e1', { commonName: 'system:node:e2' }), /403/);
  assert.throws(() => cloud.dial('e1', { headers: { connectionuse: 'str' } }), /400/);
  assert.throws(() => cloud.dial('e1', { headers: { node_id: '../etc' } }), /400/);
  cloud.dial('e1');
  await settle();
  assert.throws(() => cloud.dial('e2'), /503/);
  cloud.dial('e1');
});

test('a malformed frame closes its own connection and no other', async (t) => {
  const cloud = await startCloud(t);
  const [bad, good] = [cloud.dial('bad'), cloud.dial('good')];
  for (const text of ['{', '[]', '{"header":{}}', 'null', '{"header":{"msg_id":"1","timestamp":1}}']) {
    const edge = cloud.dial('bad');
    await edge.sendText(text);
    await settle();
    assert.equal(edge.isClosed(), true, text);
  }
  assert.equal(bad.isClosed(), true);
  assert.equal(good.isClosed(), false);
  assert.ok(cloud.logged.some((record) => record.level === 'warn' && record.sentence === 'link to edge ended'));
});

test('the records of a node that is no more are dropped, and its session ends', async (t) => {
  const cloud = await startCloud(t);
  await cloud.kube.create(nodes, undefined, edgeNode('e1'));
  const edge = cloud.dial('e1');
  await cloud.kube.create(pods, 'default', boundPod('web', 'e1'));
  await cloud.clock.advance(seconds(2));
  await cloud.kube.delete(nodes, { name: 'e1' });
  await settle();
  assert.equal(edge.isClosed(), true);
  assert.equal((await cloud.kube.list(objectSyncs)).items.length, 1);
  await cloud.clock.advance(minutes(2));
  assert.equal((await cloud.kube.list(objectSyncs)).items.length, 0);
});

test('a cloud that is stopped leaves nothing running', async (t) => {
  const cloud = await startCloud(t);
  const edge = cloud.dial('e1');
  await settle();
  assert.deepEqual(await cloud.stop(), []);
  assert.equal(edge.isClosed(), true);
});

test('a Secret is taken from a node when its last pod there is gone, and changes of it are not sent any more', async (t) => {
  const cloud = await startCloud(t);
  const secrets = api('secrets');
  await cloud.kube.create(nodes, undefined, edgeNode('e1'));
  const key = { metadata: { name: 'key', namespace: 'default' }, data: { a: 'YQ==' } };
  const secret = await cloud.kube.create(secrets, 'default', key);
  const edge = cloud.dial('e1');
  const wait = async (): Promise<void> => {
    await cloud.keepAlive(edge);
    await cloud.clock.advance(seconds(12));
    await settle();
  };
  const uses = { volumes: [{ name: 'v', secret: { secretName: 'key' } }] };
  await cloud.kube.create(pods, 'default', boundPod('web', 'e1', uses));
  await settle();
  assert.ok(((await edge.ask('query', 'default/secret/key'))!.content as KubeObject).metadata.uid);
  await wait();
  await cloud.kube.delete(pods, { namespace: 'default', name: 'web' }, { gracePeriodSeconds: 0 });
  await wait();
  const about = () => edge.pushes().filter(({ route }) => route.resource === 'default/secret/key');
  assert.deepEqual(
    about().map(({ route }) => route.operation),
    ['delete'],
  );
  await cloud.kube.update(secrets, { ...secret, data: { a: 'Yg==' } });
  await wait();
  assert.equal(about().length, 1);
});

test('a node that is connected but not registered is not forgotten: its pods reach it once it is', async (t) => {
  const cloud = await startCloud(t);
  const edge = cloud.dial('e1');
  for (let i = 0; i < 8; i++) {
    await cloud.keepAlive(edge);
    await cloud.clock.advance(seconds(15));
  }
  await cloud.kube.create(nodes, undefined, edgeNode('e1'));
  await cloud.kube.create(pods, 'default', boundPod('web', 'e1'));
  await settle();
  assert.deepEqual(
    edge.pushes().map(({ route }) => route.resource),
    ['default/pod/web'],
  );
});
