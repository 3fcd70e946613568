// StatefulSets over a whole cluster.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { seconds } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import type { Pod, StatefulSet, StatefulSetSpec } from '@kedge/model/k8s-types';
import { template } from './builders.ts';
import { Cluster } from './cluster.ts';

const { controllerRevisions, persistentVolumeClaims, pods, statefulSets } = collections;
let cluster: Cluster;
beforeEach(async () => {
  cluster = await new Cluster().start();
});
afterEach(() => cluster.stop());

const database = (spec: Partial<StatefulSetSpec> = {}): StatefulSet => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'db' },
  spec: {
    replicas: 3,
    serviceName: 'db',
    selector: { matchLabels: { app: 'db' } },
    template: template('db', 'db:1', { nodeName: 'edge' }),
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
    volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'] } }],
    ...spec,
  },
});
const names = async (): Promise<string[]> =>
  (await cluster.list(pods)).map(({ metadata }) => metadata.name!).toSorted();
const images = async (): Promise<string[]> =>
  (await cluster.list(pods)).map(({ metadata, spec }) => `${metadata.name} ${spec!.containers[0]!.image}`).toSorted();
const allUp = async (count: number): Promise<void> =>
  cluster.eventually(async () => {
    await cluster.runPods();
    const { status } = await cluster.get(statefulSets, 'db');
    assert.deepEqual([status?.readyReplicas, status?.replicas], [count, count]);
  });

test('pods come one after the other, each with its claim', async () => {
  await cluster.apply(statefulSets, database());
  await cluster.settle();
  assert.deepEqual(await names(), ['db-0']);
  await cluster.clock.advance(seconds(30));
  assert.deepEqual(await names(), ['db-0']);
  await cluster.runPods();
  assert.deepEqual(await names(), ['db-0', 'db-1']);
  await allUp(3);
  const claims = (await cluster.list(persistentVolumeClaims)).map(({ metadata }) => metadata.name).toSorted();
  assert.deepEqual(claims, ['data-db-0', 'data-db-1', 'data-db-2']);
  const { status } = await cluster.get(statefulSets, 'db');
  assert.equal(status?.currentRevision, status?.updateRevision);
  assert.deepEqual([status?.availableReplicas, status?.currentReplicas, status?.updatedReplicas], [3, 3, 3]);
  const events = await cluster.eventsAbout('db');
  assert.ok(events.includes('SuccessfulCreate: create Pod db-0 in StatefulSet db successful'));
  assert.ok(events.includes('SuccessfulCreate: create Claim data-db-0 Pod db-0 in StatefulSet db success'));
});

test('a smaller set gives up its last pods and keeps their claims', async () => {
  await cluster.apply(statefulSets, database({ podManagementPolicy: 'Parallel' }));
  await cluster.settle();
  assert.deepEqual(await names(), ['db-0', 'db-1', 'db-2']);
  await cluster.runPods();
  await cluster.patch(statefulSets, 'db', { spec: { replicas: 1 } });
  await allUp(1);
  assert.deepEqual(await names(), ['db-0']);
  assert.equal((await cluster.list(persistentVolumeClaims)).length, 3);
});

test('claims go with the pods when the set says so', async () => {
  const persistentVolumeClaimRetentionPolicy = { whenDeleted: 'Retain', whenScaled: 'Delete' };
  await cluster.apply(statefulSets, database({ replicas: 2, persistentVolumeClaimRetentionPolicy }));
  await allUp(2);
  await cluster.patch(statefulSets, 'db', { spec: { replicas: 1 } });
  await cluster.eventually(async () => {
    await cluster.runPods();
    const claims = (await cluster.list(persistentVolumeClaims)).map(({ metadata }) => metadata.name);
    assert.deepEqual(claims, ['data-db-0']);
  });
});

test('an update goes backwards down to the partition, and on when the partition goes', async () => {
  await cluster.apply(statefulSets, database());
  await allUp(3);
  const changed = { template: template('db', 'db:2', { nodeName: 'edge' }) };
  const updateStrategy = { rollingUpdate: { partition: 1 } };
  await cluster.patch(statefulSets, 'db', { spec: { ...changed, updateStrategy } });
  await cluster.eventually(async () => {
    await cluster.runPods();
    assert.deepEqual(await images(), ['db-0 db:1', 'db-1 db:2', 'db-2 db:2']);
  });
  await allUp(3);
  const half = (await cluster.get(statefulSets, 'db')).status;
  assert.notEqual(half?.currentRevision, half?.updateRevision);
  // Below the partition even a new pod is an old one.
  await cluster.api.delete(pods, { namespace: 'default', name: 'db-0' }, { gracePeriodSeconds: 0 });
  await allUp(3);
  assert.deepEqual(await images(), ['db-0 db:1', 'db-1 db:2', 'db-2 db:2']);
  await cluster.patch(statefulSets, 'db', { spec: { updateStrategy: { rollingUpdate: { partition: 0 } } } });
  await cluster.eventually(async () => {
    await cluster.runPods();
    assert.deepEqual(await images(), ['db-0 db:2', 'db-1 db:2', 'db-2 db:2']);
    const { status } = await cluster.get(statefulSets, 'db');
    assert.equal(status?.currentRevision, status?.updateRevision);
  });
  assert.equal((await cluster.list(controllerRevisions)).length, 2);
});

test('with OnDelete a pod is new when someone has deleted it', async () => {
  await cluster.apply(statefulSets, database({ replicas: 2, updateStrategy: { type: 'OnDelete' } }));
  await allUp(2);
  await cluster.patch(statefulSets, 'db', { spec: { template: template('db', 'db:2', { nodeName: 'edge' }) } });
  await cluster.clock.advance(seconds(30));
  assert.deepEqual(await images(), ['db-0 db:1', 'db-1 db:1']);
  await cluster.api.delete(pods, { namespace: 'default', name: 'db-0' }, { gracePeriodSeconds: 0 });
  await allUp(2);
  assert.deepEqual(await images(), ['db-0 db:2', 'db-1 db:1']);
});

test('an orphan with the right name and labels is adopted and gets the labels of its ordinal', async () => {
  const orphan: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'db-0', labels: { app: 'db' } },
    spec: { containers: [{ name: 'main', image: 'db:0' }], nodeName: 'edge' },
  };
  await cluster.apply(pods, orphan);
  await cluster.apply(statefulSets, database({ replicas: 1, updateStrategy: { type: 'OnDelete' } }));
  await allUp(1);
  const { metadata } = await cluster.get(pods, 'db-0');
  assert.equal(metadata.ownerReferences?.[0]?.kind, 'StatefulSet');
  assert.equal(metadata.labels?.['statefulset.kubernetes.io/pod-name'], 'db-0');
});
