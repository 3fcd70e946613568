// The controllers and the scheduler over our own API server with its admission, defaults and validation: one cluster,
// no imitation.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemUser } from '@kedge/control-plane/apiserver';
import { createScheduler } from '@kedge/control-plane/scheduler';
import { silentLog } from '@kedge/core/log';
import { minutes } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { isStatus } from '@kedge/model/k8s';
import { startTestServer, type TestServer } from './apiserver/test-server.ts';
import { deployment, node, template } from './controllers/builders.ts';
import { Cluster } from './controllers/cluster.ts';

const { configMaps, deployments, namespaces, nodes, pods, replicaSets, serviceAccounts } = collections;
const root = await mkdtemp(join(tmpdir(), 'kedge-cluster-'));
let server: TestServer;
let cluster: Cluster;
before(async () => {
  server = await startTestServer({ directory: root });
  cluster = await new Cluster({
    api: () => server.server.localApi(systemUser),
    more: ({ api, informers, clock, events }) => [
      createScheduler({ api, informers, events, clock, log: silentLog, random: { next: () => 0, uuid: () => '' } }),
    ],
  }).start();
});
after(async () => {
  await cluster.stop();
  await server.stop();
  await rm(root, { recursive: true, force: true });
});

test('a namespace gets what every namespace has, and a Deployment in it is rolled out on the nodes there are', async () => {
  await cluster.apply(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }, '');
  for (const name of ['edge-1', 'edge-2']) await cluster.apply(nodes, node(name), '');
  await cluster.eventually(async () => {
    assert.ok(await cluster.get(serviceAccounts, 'default', 'shop'));
    assert.ok(await cluster.get(configMaps, 'kube-root-ca.crt', 'shop'));
    assert.ok(await cluster.get(serviceAccounts, 'default'));
  });
  await cluster.apply(deployments, deployment('web', 4));
  const done = await cluster.rollOut('web');
  assert.equal(done.status?.conditions?.find(({ type }) => type === 'Progressing')?.reason, 'NewReplicaSetAvailable');
  const placed = (await cluster.list(pods)).map(({ spec }) => spec?.nodeName).toSorted();
  assert.deepEqual(placed, ['edge-1', 'edge-1', 'edge-2', 'edge-2']);
});

test('a new template replaces the pods and keeps the old ReplicaSet at zero', async () => {
  const before = (await cluster.list(pods)).map(({ metadata }) => metadata.uid);
  await cluster.patch(deployments, 'web', { spec: { template: template('web', 'busybox:2') } });
  await cluster.rollOut('web');
  await cluster.runPods();
  const now = await cluster.list(pods);
  assert.ok(now.every(({ metadata }) => !before.includes(metadata.uid)));
  assert.deepEqual((await cluster.list(replicaSets)).map(({ spec }) => spec?.replicas).toSorted(), [0, 4]);
});

test('deleting the Deployment leaves nothing of it', async () => {
  await cluster.api.delete(deployments, { namespace: 'default', name: 'web' }, { propagationPolicy: 'Foreground' });
  await cluster.eventually(async () => {
    await cluster.runPods();
    assert.deepEqual(await cluster.list(pods), []);
    assert.deepEqual(await cluster.list(replicaSets), []);
    assert.deepEqual(await cluster.list(deployments), []);
  });
});

test('a namespace with everything in it goes', async () => {
  await cluster.apply(deployments, deployment('web', 2), 'shop');
  await cluster.eventually(async () => assert.equal((await cluster.list(pods, 'shop')).length, 2));
  await cluster.api.delete(namespaces, { name: 'shop' });
  await cluster.eventually(async () => {
    await cluster.runPods();
    await assert.rejects(cluster.get(namespaces, 'shop', ''), (error) => isStatus(error, 'NotFound'));
  }, minutes(5));
});

test('pods of a node that is taken out of the cluster end up elsewhere', async () => {
  await cluster.apply(deployments, deployment('web', 2));
  await cluster.rollOut('web');
  await cluster.api.delete(nodes, { name: 'edge-2' });
  await cluster.eventually(async () => {
    await cluster.heartbeat();
    await cluster.runPods();
    const all = await cluster.list(pods);
    assert.deepEqual(
      all.map(({ spec }) => spec?.nodeName),
      ['edge-1', 'edge-1'],
    );
  }, minutes(5));
});
