// ReplicaSets over a whole cluster: the right number of pods, never one too many, and an honest status.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { collections } from '@kedge/engine/kube-client';
import { fail } from '@kedge/model/k8s';
import { createFakeKubeApi, type FakeKubeApi } from '@kedge/testing/kube';
import { replicaSet, template } from './builders.ts';
import { Cluster } from './cluster.ts';

const { pods, replicaSets } = collections;
let api: FakeKubeApi;
let cluster: Cluster;
beforeEach(async () => {
  cluster = await new Cluster({ api: (clock) => (api = createFakeKubeApi({ clock })) }).start();
});
afterEach(() => cluster.stop());

test('creates exactly the pods that are missing, owned and labelled', async () => {
  await cluster.apply(replicaSets, replicaSet('web', 3));
  await cluster.settle();
  const made = await cluster.list(pods);
  assert.equal(made.length, 3);
  assert.ok(made.every(({ metadata }) => metadata.name!.startsWith('web-') && metadata.labels?.['app'] === 'web'));
  const set = await cluster.get(replicaSets, 'web');
  assert.deepEqual(made[0]!.metadata.ownerReferences, [
    {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      name: 'web',
      uid: set.metadata.uid,
      controller: true,
      blockOwnerDeletion: true,
    },
  ]);
  assert.deepEqual(set.status, { replicas: 3, fullyLabeledReplicas: 3, observedGeneration: 1 });
  assert.deepEqual(
    (await cluster.eventsAbout('web')).toSorted(),
    made.map(({ metadata }) => `SuccessfulCreate: Created pod: ${metadata.name}`).toSorted(),
  );
});

test('counts ready and available pods, the latter after minReadySeconds', async () => {
  const set = replicaSet('web', 2);
  await cluster.apply(replicaSets, { ...set, spec: { ...set.spec!, minReadySeconds: 30 } });
  await cluster.settle();
  await cluster.runPods();
  const early = (await cluster.get(replicaSets, 'web')).status!;
  assert.deepEqual([early.readyReplicas, early.availableReplicas], [2, undefined]);
  await cluster.eventually(async () => {
    assert.equal((await cluster.get(replicaSets, 'web')).status!.availableReplicas, 2);
  });
});

test('replaces deleted and failed pods, scales down by deleting pods that are not ready first', async () => {
  await cluster.apply(replicaSets, replicaSet('web', 3));
  await cluster.settle();
  const [gone, failed, healthy] = await cluster.list(pods);
  await cluster.api.delete(pods, { namespace: 'default', name: gone!.metadata.name! });
  await cluster.api.patch(
    pods,
    { namespace: 'default', name: failed!.metadata.name!, subresource: 'status' },
    'merge',
    '{"status":{"phase":"Failed"}}',
  );
  await cluster.settle();
  assert.equal((await cluster.list(pods)).filter(({ status }) => status?.phase !== 'Failed').length, 3);

  await cluster.setReady(healthy!, true);
  await cluster.patch(replicaSets, 'web', { spec: { replicas: 1 } });
  await cluster.settle();
  const left = (await cluster.list(pods)).filter(({ status }) => status?.phase !== 'Failed');
  assert.deepEqual(
    left.map(({ metadata }) => metadata.name),
    [healthy!.metadata.name],
  );
});

test('adopts a matching orphan and lets go of a pod that stops to match', async () => {
  const orphan = await cluster.apply(pods, {
    metadata: { name: 'stray', labels: { app: 'web' } },
    spec: template('web').spec!,
  });
  await cluster.apply(replicaSets, replicaSet('web', 1));
  await cluster.settle();
  const { uid } = (await cluster.get(replicaSets, 'web')).metadata;
  assert.deepEqual(
    (await cluster.list(pods)).map(({ metadata }) => metadata.uid),
    [orphan.metadata.uid],
  );
  assert.equal((await cluster.get(pods, 'stray')).metadata.ownerReferences?.[0]?.uid, uid);

  await cluster.patch(pods, 'stray', { metadata: { labels: { app: 'other' } } });
  await cluster.settle();
  assert.deepEqual((await cluster.get(pods, 'stray')).metadata.ownerReferences ?? [], []);
  assert.equal((await cluster.list(pods)).length, 2);
});

test('says why pods cannot be created, and forgets it when they can', async () => {
  api.failNext('create', 'pods', fail('Forbidden', 'exceeded quota: compute'));
  await cluster.apply(replicaSets, replicaSet('web', 2));
  await cluster.eventually(async () => assert.equal((await cluster.list(pods)).length, 2));
  assert.ok((await cluster.eventsAbout('web')).includes('FailedCreate: Error creating: exceeded quota: compute'));
  const { status } = await cluster.get(replicaSets, 'web');
  assert.equal(status?.conditions, undefined);
});

test('a set with many pods under a busy controller never overshoots', async () => {
  await cluster.apply(replicaSets, replicaSet('web', 60));
  for (const replicas of [80, 20, 50]) {
    await cluster.patch(replicaSets, 'web', { spec: { replicas } });
    await cluster.settle();
    assert.equal((await cluster.list(pods)).length, replicas);
  }
});
